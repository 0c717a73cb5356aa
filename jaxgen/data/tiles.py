"""Tiles cut from photographs, for all sources of photographs.

A source describes its photographs (`photos.Photos`), `cut` determines the parts
of photographs that belong to a split, and a `TileSource` reads the tiles:

- training with `crop="random"`: tile indices number the positions of a grid
  with steps of a quarter of a tile, so that large photographs give more tiles;
  the index selects the photograph, the generator the position in it.
- `crop="tiled"`, and always in validation: a grid of adjacent tiles.
- `crop="whole"`: one tile per photograph, its center square.
"""

from __future__ import annotations

import itertools
import warnings

import numpy as np

from jaxgen.config.data import DataConfig, Split
from jaxgen.data import splits
from jaxgen.data.photos import Photos, loader
from jaxgen.data.tile_source import Region, TileSource
from jaxgen.errors import UserError
from jaxgen.formats import image_files

_STEPS_PER_TILE = 4  # training grid: an epoch covers a pixel 16 times


def cut(
  photos: Photos, options: DataConfig, *, split: Split, resolution: int
) -> TileSource:
  """The tiles of one split.

  Options used: `channels, crop, crop_size, upsample, split_by,
  validation_fraction, on_bad, cache_mb`.

  Raises:
    UserError: unusable photographs (all are named), a split without tiles, or
      options that exclude each other.
  """
  _check_options(options)
  whole = options.crop == "whole"
  size = resolution if whole else options.crop_size or resolution
  too_small = _report_bad(photos, options, size)
  boxes = _boxes(photos, options, split=split, size=size)
  random = split == "train" and options.crop == "random"
  regions = tuple(
    _region(photo, box, size=size, whole=whole, random=random)
    for photo, box in boxes
    if photo not in too_small
  )
  if not regions:
    raise UserError(
      f"no {split} tiles of {size} pixels: reduce data.crop_size or"
      " stages.resolution, set data.upsample=True, or add images"
    )
  counts = [rows * columns for rows, columns in (r.grid for r in regions)]
  square, fingerprint = resolution if whole else 0, photos.fingerprint()
  return TileSource(
    regions=regions,
    starts=tuple(itertools.accumulate(counts, initial=0))[:-1],
    num_tiles=sum(counts),
    load=loader(photos, options, square=square, fingerprint=fingerprint),
    stack=None if whole else photos.stack,
    finish=None if whole else photos.finish,
    resolution=resolution,
    channels=options.channels,
    random=random,
    labels=np.asarray(photos.labels, np.int32),
    label_names=tuple(photos.label_names),
    attribute_names={},
    fingerprint=fingerprint,
    findings=photos.findings,
  )


def _check_options(options: DataConfig) -> None:
  if options.crop == "whole" and options.split_by == "regions":
    raise UserError(
      "data.crop=whole: expected data.split_by=files, got regions (parts of a"
      " whole image cannot be held out)"
    )


def _boxes(
  photos: Photos, options: DataConfig, *, split: Split, size: int
) -> list[tuple[int, splits.Box]]:
  """The photographs of a split, each with the part that belongs to it.

  Photographs that are too small are included, so that splits do not depend on
  the resolution.
  """
  if not photos.names:
    return []
  indices = splits.by_folder(photos.names, photos.digests)
  if indices is None and options.split_by == "regions":
    return _strips(photos, options, split=split, size=size)
  if indices is None:
    indices = splits.by_digest(photos.digests, options.validation_fraction)
  return [(i, splits.Box(0, 0, *photos.sizes[i])) for i in indices[split]]


def _strips(
  photos: Photos, options: DataConfig, *, split: Split, size: int
) -> list[tuple[int, splits.Box]]:
  boxes = []
  for photo in splits.unique(photos.digests):
    height, width = photos.sizes[photo]
    side = min(size, height, width, max(height, width) // 2)
    box = splits.by_region(
      height,
      width,
      split=split,
      fraction=options.validation_fraction,
      size=side if options.upsample else size,
    )
    if box is not None:
      boxes.append((photo, box))
  return boxes


def _report_bad(photos: Photos, options: DataConfig, size: int) -> set[int]:
  """Raise a UserError or warn about unreadable or too small photographs.

  Returns:
    The indices of the photographs that are too small.
  """
  too_small = {
    photo
    for photo, sides in enumerate(photos.sizes)
    if min(sides) < size and not options.upsample
  }
  problems = list(photos.problems)
  for photo in sorted(too_small):
    height, width = photos.sizes[photo]
    name = photos.names[photo]
    problems.append(
      f"{name}: {width} x {height} pixels, expected at least {size} x {size}"
    )
  if problems and options.on_bad == "error":
    raise image_files.report_bad(
      problems,
      "Remove them, or set data.on_bad=skip to skip them"
      + (" or data.upsample=True to enlarge them." if too_small else "."),
    )
  if problems:
    shown = "; ".join(problems[:10])
    warnings.warn(f"skipped {len(problems)} images: {shown}", stacklevel=4)
  return too_small


def _region(
  photo: int, box: splits.Box, *, size: int, whole: bool, random: bool
) -> Region:
  if whole:
    square = splits.Box(0, 0, size, size)
    return Region(photo=photo, box=square, size=size, step=size)
  size = min(size, box.height, box.width)
  step = max(size // _STEPS_PER_TILE, 1) if random else size
  return Region(photo=photo, box=box, size=size, step=step)
