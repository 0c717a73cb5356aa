"""The arrays of images in a file or in a folder of files."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from jaxgen.config.data import DataConfig
from jaxgen.data.files.array_names import choose
from jaxgen.data.files.named_arrays import (
  SUFFIXES,
  UNNAMED,
  ArrayFile,
  headers,
  is_torch,
  stamp_of,
)
from jaxgen.errors import UserError
from jaxgen.formats import image_files
from jaxgen.formats.file_tree import files_below, hidden_below


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
  """An array of images.

  Attributes:
    file: the array.
    labels: the array of its labels; None without labels.
    name: of the file or the split, for messages and splits.
    numbered: whether images are "image i" in the folder `name`.
  """

  file: ArrayFile
  labels: ArrayFile | None
  name: str
  numbered: bool

  def image_name(self, row: int, count: int) -> str:
    """The name of an image; its folders may define the split and the class."""
    if self.numbered:
      return f"{self.name}image {row}"
    return f"{self.name} [{row}]" if count > 1 else self.name


@dataclasses.dataclass(frozen=True, kw_only=True)
class Listing:
  """The arrays of a file or a folder, and what is not used of it.

  Attributes:
    parts: the arrays of images.
    problems: "name: reason" for each file that cannot be used.
    skipped: names of files and arrays that are not used, by reason.
  """

  parts: Sequence[Part]
  problems: Sequence[str] = ()
  skipped: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)


def list_arrays(options: DataConfig) -> Listing:
  """The arrays of images in `options.path`.

  Raises:
    UserError: there are none, or it is not clear which they are.
  """
  path = pathlib.Path(options.path)
  if options.path and path.is_dir():
    return _list_folder(path, options.key)
  if path.suffix.lower() not in SUFFIXES or not path.is_file():
    raise UserError(
      f"data.path={options.path!r}: expected an .npy, .npz or .pt file, or a"
      " folder of such files"
    )
  try:
    return _list_file(path, options.key, name=path.name)
  except ValueError as error:
    raise UserError(f"{path}: {error}") from error
  except UserError as error:
    raise only_file(str(error), options) from error


def only_file(problem: str, options: DataConfig) -> UserError:
  """The error of a file that is damaged, and the only one."""
  skips = "; it is the only file, so that it cannot be skipped"
  return UserError(problem + (skips if options.on_bad == "skip" else ""))


def _list_folder(root: pathlib.Path, key: str) -> Listing:
  paths = files_below(root, SUFFIXES)
  if not paths:
    images = len(image_files.list_images(root))
    hint = f"; it has {images:,} images: data.source=folder" if images else ""
    raise UserError(
      f"data.path={root}: expected a folder with .npy, .npz or .pt files{hint}"
    )
  parts, problems = [], []
  skipped: dict[str, list[str]] = {}
  for path in paths:
    name = path.relative_to(root).as_posix()
    try:
      listing = _list_file(path, key, name=name)
    except (UserError, OSError, ValueError) as error:
      problems.append(f"{name}: " + str(error).removeprefix(f"{path}: "))
      continue
    parts += [
      dataclasses.replace(x, name=name, numbered=False) for x in listing.parts
    ]
    for reason, names in listing.skipped.items():
      skipped.setdefault(reason, []).extend(names)
  hidden = [
    x.relative_to(root).as_posix() for x in hidden_below(root, SUFFIXES)
  ]
  skipped |= {"hidden": hidden} if hidden else {}
  return Listing(parts=parts, problems=problems, skipped=skipped)


def _list_file(path: pathlib.Path, key: str, *, name: str) -> Listing:
  stamp, file = stamp_of(path), str(path)
  known = headers(file, stamp)
  if key and set(known) == {UNNAMED}:
    raise ValueError(f"data.key={key}: the array in the file has no name")
  choice = choose(known, key)
  parts = []
  for part in choice.parts:
    labels = part.labels
    numbered = not is_torch(file) or part.split is not None
    parts.append(
      Part(
        file=ArrayFile(file, part.images, stamp),
        labels=ArrayFile(file, labels, stamp) if labels else None,
        name=(f"{part.split}/" if part.split else "") if numbered else name,
        numbered=numbered,
      )
    )
  unused = [f"{name} {array}" for array in choice.unused]
  reason = "another array of images than the one chosen"
  return Listing(parts=parts, skipped={reason: unused} if unused else {})
