"""A folder of images, optionally with classes and masks.

    FOLDER/[images/][train|validation/][CLASS/]NAME.png
    FOLDER/index.csv          columns `file` and `label`, `class` or `..._class`
    MASKS/[...]NAME.png       `masks`: any folder, or one inside FOLDER

Subfolders `train` and `validation` (or `val`, or `test`) are the splits;
without them `split_by` applies. If all files have 16 bits the tiles are uint16,
otherwise uint8 (the upper 8 bits). Duplicate images are dropped.
"""

from __future__ import annotations

import csv
import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Literal

import numpy as np

from jaxgen.config.data import DataConfig, Split
from jaxgen.config.fields import check_value
from jaxgen.data import photos, resize, splits, tiles
from jaxgen.data.files import checks
from jaxgen.data.source import Source
from jaxgen.errors import UserError
from jaxgen.formats import image_files

Labels = tuple[tuple[str, ...], np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageFiles:
  """A decoder of photograph i and its mask; picklable."""

  paths: tuple[str, ...]
  masks: tuple[str, ...]
  bits: int
  channels: int

  def __call__(self, photo: int) -> photos.Photo:
    image = image_files.read_pixels(self.paths[photo], bits=self.bits)
    if self.channels == 1:
      image = resize.to_channels(image, 1)
    if not self.masks:
      return (image,)
    return image, image_files.read_labels(self.masks[photo])


def folder(options: DataConfig, split: Split, resolution: int) -> Source:
  """Tiles of the images in `path`.

  New and changed files are decoded at the start, by `threads` threads (about 15
  ms per megapixel of JPEG on one core), so that damaged files are detected
  before training starts; see `checks`.

  Options used: `path, masks, channels, crop, crop_size, upsample, split_by,
  validation_fraction, on_bad, cache_mb, threads`.

  Raises:
    UserError: no images; files that are unreadable, too small or without a mask
      (all are named); or an index that matches no image.
  """
  check_value("data.channels", Literal[1, 3], options.channels)
  root = pathlib.Path(options.path)
  if not options.path or not root.is_dir():
    raise UserError(f"data.path={options.path!r}: expected a folder of images")
  masks = _masks_folder(root, options.masks)
  paths = _image_paths(root, masks)
  names = [path.relative_to(root).as_posix() for path in paths]
  mask_paths = [_mask_path(masks, root, path) for path in paths if masks]
  checked = checks.check_files(root, paths, threads=options.threads)
  extra = ""
  if masks is not None:
    checked, extra = _match_masks(checked, masks, mask_paths, options.threads)
  good = [i for i, x in enumerate(checked) if not isinstance(x, str)]
  infos = [x for x in checked if not isinstance(x, str)]
  label_names, labels = _labels(root, names)
  described = photos.Photos(
    names=[names[i] for i in good],
    sizes=[(info.height, info.width) for info in infos],
    digests=[info.digest for info in infos],
    load=ImageFiles(
      paths=tuple(str(paths[i]) for i in good),
      masks=tuple(str(mask_paths[i]) for i in good if mask_paths),
      bits=min((info.bits for info in infos), default=8),
      channels=options.channels,
    ),
    labels=labels[good] if label_names else (),
    label_names=label_names,
    problems=[
      f"{name}: {x}"
      for name, x in zip(names, checked, strict=True)
      if isinstance(x, str)
    ],
    extra=extra,
  )
  return tiles.cut(described, options, split=split, resolution=resolution)


def _match_masks(
  checked: Sequence[image_files.ImageInfo | str],
  root: pathlib.Path,
  masks: Sequence[pathlib.Path],
  threads: int,
) -> tuple[list[image_files.ImageInfo | str], str]:
  """Check the masks of images, which are below `root`.

  Returns:
    For each image its `ImageInfo`, or why it cannot be used; and the digests of
    the masks.
  """
  checked_masks = checks.check_files(root, masks, threads=threads, labels=True)
  digests = [x.digest for x in checked_masks if not isinstance(x, str)]
  matched = [_match(*pair) for pair in zip(checked, checked_masks, strict=True)]
  return matched, " ".join(digests)


def _image_paths(
  root: pathlib.Path, masks: pathlib.Path | None
) -> list[pathlib.Path]:
  inner = root / "images"
  paths = image_files.list_images(inner if inner.is_dir() else root)
  if masks is not None:
    paths = [path for path in paths if masks not in path.parents]
  if not paths:
    raise UserError(
      f"data.path={root}: expected a folder with images"
      f" ({', '.join(image_files.SUFFIXES)})"
    )
  return paths


def _masks_folder(root: pathlib.Path, masks: str) -> pathlib.Path | None:
  if not masks:
    return None
  for place in (pathlib.Path(masks), root / masks):
    if place.is_dir():
      return place
  raise UserError(f"data.masks={masks}: expected a folder of masks")


def _mask_path(
  masks: pathlib.Path, root: pathlib.Path, image: pathlib.Path
) -> pathlib.Path:
  """The mask of an image: the file with the same stem, at the same relative
  path or directly in the folder. A missing file is reported by the check."""
  inner = image.relative_to(root)
  if inner.parts[0] == "images":
    inner = inner.relative_to("images")
  places = [masks / inner, masks / image.name]
  paths = [p.with_suffix(x) for p in places for x in (".png", ".tif", ".tiff")]
  return next((path for path in paths if path.is_file()), paths[0])


def _match(
  image: image_files.ImageInfo | str, mask: image_files.ImageInfo | str
) -> image_files.ImageInfo | str:
  if isinstance(image, str):
    return image
  if isinstance(mask, str):
    return f"mask: {mask}"
  if (image.height, image.width) != (mask.height, mask.width):
    return (
      f"{image.width} x {image.height}, but its mask is"
      f" {mask.width} x {mask.height}"
    )
  return image


def _labels(root: pathlib.Path, names: Sequence[str]) -> Labels:
  """The labels from the index if it has a column of labels, else from
  subfolders."""
  index = root / "index.csv"
  try:
    labels = _read_index(index) if index.is_file() else None
  except (UnicodeDecodeError, csv.Error) as e:
    raise UserError(f"{index} is not a CSV file in UTF-8: {e}") from e
  if labels is None:
    return splits.class_labels(names)
  values = [_look_up(labels, name) for name in names]
  if not any(values):
    raise UserError(
      f"{index} matches none of the {len(names)} images: expected in its column"
      " `file` names relative to the folder or to images/, with or without"
      " extension"
    )
  return splits.index_labels(values)


def _read_index(path: pathlib.Path) -> dict[str, str] | None:
  """The label of each `file`; None without a column of labels."""
  with path.open(newline="", encoding="utf-8-sig") as lines:
    first = lines.readline()
    lines.seek(0)
    semicolons = ";" in first and "," not in first  # some spreadsheets
    reader = csv.DictReader(lines, delimiter=";" if semicolons else ",")
    columns = [name for name in reader.fieldnames or () if name]
    label = next((x for x in ("label", "class") if x in columns), None)
    label = label or next((x for x in columns if x.endswith("_class")), None)
    if label is None:
      return None
    if "file" not in columns:
      raise UserError(f"{path}: expected a column `file` next to the labels")
    return {row["file"]: row[label] or "" for row in reader}


def _look_up(labels: dict[str, str], name: str) -> str | None:
  inner = name.removeprefix("images/")
  for full in (name, inner):
    for key in (full, str(pathlib.PurePosixPath(full).with_suffix(""))):
      if key in labels:
        return labels[key]
  return None
