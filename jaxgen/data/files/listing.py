"""Listing of a folder of images, and of what it holds besides."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator, Sequence

from jaxgen.errors import UserError
from jaxgen.formats import image_files

TABLE = "index.csv"


def image_paths(
  root: pathlib.Path, others: Sequence[pathlib.Path]
) -> list[pathlib.Path]:
  """The images of a folder, or of its folder `images`; without those of other
  folders.

  Raises:
    UserError: there are none.
  """
  inner = root / "images"
  paths = image_files.list_images(inner if inner.is_dir() else root)
  paths = [path for path in paths if not {*others} & {*path.parents}]
  if not paths:
    raise UserError(
      f"data.path={root}: expected a folder with images"
      f" ({', '.join(image_files.SUFFIXES)})"
    )
  return paths


def passed_over(
  root: pathlib.Path,
  images: Sequence[pathlib.Path],
  others: Sequence[pathlib.Path],
) -> dict[str, list[str]]:
  """The names of the files of a folder that are not used, by reason."""
  used = {*images, root / TABLE}
  found: dict[str, list[str]] = {}
  for path in _files(root, others):
    if path not in used:
      name = path.relative_to(root).as_posix()
      found.setdefault(_reason(path), []).append(name)
  return found


def _files(
  root: pathlib.Path, others: Sequence[pathlib.Path]
) -> Iterator[pathlib.Path]:
  """The files below a folder, sorted; a hidden folder counts as one."""
  for folder, folders, files in os.walk(root):
    here = pathlib.Path(folder)
    hidden = [x for x in folders if x.startswith(".")]
    folders[:] = sorted(
      x for x in folders if x not in hidden and here / x not in others
    )
    yield from (here / name for name in sorted((*files, *hidden)))


def _reason(path: pathlib.Path) -> str:
  if path.name.startswith("."):
    return "hidden"
  if not path.exists():
    return "a link to nothing"
  if path.suffix.lower() in image_files.SUFFIXES:
    return "outside of images/"
  return f"not an image file ({path.suffix})" if path.suffix else "no extension"
