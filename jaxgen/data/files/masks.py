"""Masks beside a folder of images: label images of the same names.

Most programs save a mask of two kinds as black and white, 0 and 255; where the
masks of a folder hold nothing else, they are read as the labels 0 and 1.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import pathlib
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np

from jaxgen.config.data import DataConfig
from jaxgen.data.files import checks
from jaxgen.errors import UserError
from jaxgen.formats import image_files
from jaxgen.formats.image_files import ImageInfo
from jaxgen.formats.problems import listed

_SUFFIXES = (".png", ".tif", ".tiff", ".bmp")  # first: preferred
_NO_MASK = "no mask, no file of its name"
_TWO_KINDS = {"0", "255"}, {"0", "65535"}  # black and white


@dataclasses.dataclass(frozen=True, kw_only=True)
class Masks:
  """The masks of images.

  Attributes:
    folder: the folder of masks.
    paths: the mask of each image; None where there is none.
    checked: for each image the `ImageInfo` of its mask, or why it has none.
    others: masks without an image.
  """

  folder: pathlib.Path
  paths: Sequence[pathlib.Path | None]
  checked: Sequence[ImageInfo | str]
  others: Sequence[str]

  @property
  def infos(self) -> list[ImageInfo]:
    """What is known of the usable masks."""
    return [x for x in self.checked if isinstance(x, ImageInfo)]

  @functools.cached_property
  def two_kinds(self) -> bool:
    """Whether black and white are read as 0 and 1."""
    return {x for info in self.infos for x in info.labels} in _TWO_KINDS


def find_folder(root: pathlib.Path, masks: str) -> pathlib.Path | None:
  """The folder of masks: any, or one inside `root`; None without masks."""
  if not masks:
    return None
  for place in (pathlib.Path(masks), root / masks):
    if place.is_dir():
      full, top = place.resolve(), root.resolve()
      inside = full.is_relative_to(top) and full != top
      return root / full.relative_to(top) if inside else place
  raise UserError(f"data.masks={masks}: expected a folder of masks")


def open_masks(
  folder: pathlib.Path, names: Sequence[str], options: DataConfig
) -> Masks:
  """Find and check the masks of images.

  Args:
    folder: the folder of masks.
    names: paths of the images relative to their folder.
    options: the number of threads.

  Raises:
    UserError: a mask serves several images.
  """
  files = _by_name(folder)
  paths = [_mask(files, name) for name in names]
  _check_shared(folder, paths, names)
  present = [path for path in paths if path is not None]
  checked = checks.check_files(
    folder, present, threads=options.threads, labels=True
  )
  known = dict(zip(present, checked, strict=True))
  others = sorted(set(files.values()) - set(present))
  return Masks(
    folder=folder,
    paths=paths,
    checked=[known[path] if path else _NO_MASK for path in paths],
    others=[path.relative_to(folder).as_posix() for path in others],
  )


def fit(image: ImageInfo | str, mask: ImageInfo | str) -> ImageInfo | str:
  """What is known of an image with a mask, or why it cannot be used."""
  if isinstance(image, str):
    return image
  if isinstance(mask, str):
    return mask if mask == _NO_MASK else f"mask: {mask}"
  if (image.height, image.width) != (mask.height, mask.width):
    return (
      f"not of its mask's size ({image.width} x {image.height}, but its mask is"
      f" {mask.width} x {mask.height})"
    )
  return image


def read_labels(path: str, *, two_kinds: bool) -> np.ndarray:
  """The labels (h, w) int32 of a mask, upright.

  Args:
    path: a file that has passed the check.
    two_kinds: read black and white as 0 and 1.
  """
  labels = image_files.read_labels(path)
  return np.minimum(labels, 1) if two_kinds else labels


def label_counts(masks: Masks, image: int) -> dict[int, int]:
  """The number of pixels with each label in the mask of an image."""
  info = masks.checked[image]
  counts: collections.Counter[int] = collections.Counter()
  for label, count in info.labels.items() if not isinstance(info, str) else ():
    counts[min(int(label), 1) if masks.two_kinds else int(label)] += count
  return dict(counts)


def fingerprint(masks: Masks) -> str:
  """The contents of masks and how they are read."""
  digests = [info.digest for info in masks.infos]
  return " ".join((*digests, *["two kinds"] * masks.two_kinds))


def warnings(masks: Masks) -> list[str]:
  """What is doubtful about masks, in sentences."""
  found = []
  if masks.two_kinds:
    found.append(
      f"the masks in {masks.folder} hold black and white alone: they are read"
      " as the labels 0 and 1"
    )
  labels = {int(label) for info in masks.infos for label in info.labels}
  if len(labels) == 1:
    found.append(
      f"the masks in {masks.folder} hold nothing but the label {min(labels)}"
    )
  if masks.others:
    found.append(
      f"{len(masks.others):,} masks have no image: {listed(masks.others)}"
    )
  return found


def _by_name(folder: pathlib.Path) -> dict[str, pathlib.Path]:
  """The masks by path relative to their folder, without the extension."""
  files: dict[str, pathlib.Path] = {}
  paths = image_files.list_images(folder)
  for suffix in _SUFFIXES:
    for path in paths:
      if path.suffix.lower() == suffix:
        files.setdefault(_key(path.relative_to(folder)), path)
  return files


def _mask(files: Mapping[str, pathlib.Path], name: str) -> pathlib.Path | None:
  """The mask of an image: the file with the same stem, at the same relative
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
) -> None:
  """Raise a UserError if a mask serves several images."""
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
      f"data.masks={folder}: {len(shared):,} masks serve several images each:"
      f" {listed(shared)}; lay the masks out in folders as the images are"
    )
