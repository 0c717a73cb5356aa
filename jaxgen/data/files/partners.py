"""Files beside a folder of images that belong to them by name: masks, hints,
small images."""

from __future__ import annotations

import dataclasses
import pathlib
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np

from jaxgen.config.data import DataConfig
from jaxgen.data import resize
from jaxgen.data.files import checks
from jaxgen.errors import UserError
from jaxgen.formats import image_files
from jaxgen.formats.image_files import ImageInfo
from jaxgen.formats.problems import listed


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kind:
  """A kind of partners.

  Attributes:
    noun: what one of them is called.
    field: the config field that names their folder.
    suffixes: of their files; of several with one stem the first is used.
    labels: whether they are label images.
  """

  noun: str
  field: str
  suffixes: tuple[str, ...]
  labels: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Partners:
  """The partners of images.

  Attributes:
    folder: their folder.
    paths: the partner of each image; None where there is none.
    checked: for each image the `ImageInfo` of its partner, or why it has none.
    others: files without an image.
  """

  folder: pathlib.Path
  paths: Sequence[pathlib.Path | None]
  checked: Sequence[ImageInfo | str]
  others: Sequence[str]

  @property
  def infos(self) -> list[ImageInfo]:
    """What is known of the usable partners."""
    return [x for x in self.checked if isinstance(x, ImageInfo)]


def find_folder(
  root: pathlib.Path, folder: str, kind: Kind
) -> pathlib.Path | None:
  """The folder of partners: any, or one inside `root`; None without them."""
  if not folder:
    return None
  for place in (pathlib.Path(folder), root / folder):
    if place.is_dir():
      full, top = place.resolve(), root.resolve()
      inside = full.is_relative_to(top) and full != top
      return root / full.relative_to(top) if inside else place
  raise UserError(f"{kind.field}={folder}: expected a folder of {kind.noun}s")


def open_partners(
  folder: pathlib.Path, names: Sequence[str], options: DataConfig, kind: Kind
) -> Partners:
  """Find and check the partners of images.

  Args:
    folder: their folder.
    names: paths of the images relative to their folder.
    options: the number of threads.
    kind: what they are.

  Raises:
    UserError: a partner serves several images.
  """
  files = _by_name(folder, kind)
  paths = [_partner(files, name) for name in names]
  _check_shared(folder, paths, names, kind)
  present = [path for path in paths if path is not None]
  checked = checks.check_files(
    folder, present, threads=options.threads, labels=kind.labels
  )
  known = dict(zip(present, checked, strict=True))
  others = sorted(set(files.values()) - set(present))
  return Partners(
    folder=folder,
    paths=paths,
    checked=[known[path] if path else _missing(kind) for path in paths],
    others=[path.relative_to(folder).as_posix() for path in others],
  )


def fit(
  image: ImageInfo | str,
  partner: ImageInfo | str,
  kind: Kind,
  *,
  factor: int = 1,
) -> ImageInfo | str:
  """What is known of an image with a partner, smaller by a factor, or why it
  cannot be used."""
  if isinstance(image, str):
    return image
  noun = kind.noun
  if isinstance(partner, str):
    return partner if partner == _missing(kind) else f"{noun}: {partner}"
  expected = factor * partner.height, factor * partner.width
  if (image.height, image.width) != expected:
    times = "" if factor == 1 else f"{factor} times "
    return (
      f"not of {times}its {noun}'s size ({image.width} x {image.height}, but"
      f" its {noun} is {partner.width} x {partner.height})"
    )
  return image


def fit_all(
  images: Sequence[ImageInfo | str],
  found: Partners,
  kind: Kind,
  *,
  factor: int = 1,
) -> list[ImageInfo | str]:
  """`fit` of each image."""
  pairs = zip(images, found.checked, strict=True)
  return [fit(image, partner, kind, factor=factor) for image, partner in pairs]


def read(path: str, channels: int, *, bits: int) -> np.ndarray:
  """The pixels (h, w, channels) of a partner that has passed the check."""
  pixels = image_files.read_pixels(path, bits=bits)
  return resize.to_channels(pixels, channels)


def warnings(found: Partners, kind: Kind) -> list[str]:
  """What is doubtful about partners, in sentences."""
  others = found.others
  said = f"{len(others):,} {kind.noun}s have no image: {listed(others)}"
  return [said] * any(others)


def _missing(kind: Kind) -> str:
  return f"no {kind.noun}, no file of its name"


def _by_name(folder: pathlib.Path, kind: Kind) -> dict[str, pathlib.Path]:
  """The files by path relative to their folder, without the extension."""
  files: dict[str, pathlib.Path] = {}
  paths = image_files.list_images(folder)
  for suffix in kind.suffixes:
    for path in paths:
      if path.suffix.lower() == suffix:
        files.setdefault(_key(path.relative_to(folder)), path)
  return files


def _partner(
  files: Mapping[str, pathlib.Path], name: str
) -> pathlib.Path | None:
  """The partner of an image: the file with the same stem, at the same relative
  path or directly in the folder."""
  inner = pathlib.PurePosixPath(name.removeprefix("images/"))
  places = _key(inner), _key(pathlib.PurePosixPath(inner.name))
  return next((files[key] for key in places if key in files), None)


def _key(path: pathlib.PurePath) -> str:
  return unicodedata.normalize("NFC", path.with_suffix("").as_posix())


def _check_shared(
  folder: pathlib.Path,
  paths: Sequence[pathlib.Path | None],
  names: Sequence[str],
  kind: Kind,
) -> None:
  """Raise a UserError if a partner serves several images."""
  users: dict[pathlib.Path, list[str]] = {}
  for path, name in zip(paths, names, strict=True):
    if path is not None:
      users.setdefault(path, []).append(name)
  shared = [
    f"{path.relative_to(folder).as_posix()} ({', '.join(images)})"
    for path, images in users.items()
    if len(images) > 1
  ]
  if shared:
    raise UserError(
      f"{kind.field}={folder}: {len(shared):,} {kind.noun}s serve several"
      f" images each: {listed(shared)}; lay the {kind.noun}s out in folders as"
      " the images are"
    )
