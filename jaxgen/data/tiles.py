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
from collections.abc import Sequence

import numpy as np

from jaxgen.config.data import DataConfig, Split
from jaxgen.data import splits
from jaxgen.data.partition import partition
from jaxgen.data.photo_findings import TooSmall, complete
from jaxgen.data.photos import Photos, loader
from jaxgen.data.tile_source import Region, TileSource
from jaxgen.errors import UserError
from jaxgen.formats import problems

_STEPS_PER_TILE = 4  # training grid: an epoch covers a pixel 16 times


def cut(
  photos: Photos, options: DataConfig, *, split: Split, resolution: int
) -> TileSource:
  """The tiles of one split.

  Options used: `channels, crop, crop_size, upsample, split_by,
  validation_fraction, on_bad, cache_mb, factor, lows`.

  Raises:
    UserError: unusable photographs (all are named), a split without tiles, or
      options that exclude each other.
  """
  _check_options(options)
  whole = options.crop == "whole"
  size = resolution if whole else options.crop_size or resolution
  too_small = _too_small(photos, options, size)
  _check_usable([*photos.problems, *too_small.values()], options, too_small)
  parts = partition(photos, options, size=size)
  random = split == "train" and options.crop == "random"
  regions = tuple(
    _region(photo, box, size=size, whole=whole, random=random)
    for photo, box in parts.boxes[split]
    if photo not in too_small
  )
  if not regions:
    raise _no_tiles(photos, f"no {split} tiles of {size} pixels")
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
    findings=complete(photos, parts, too_small=too_small),
    factor=options.factor if options.lows else 0,
  )


def _check_options(options: DataConfig) -> None:
  if options.crop == "whole" and options.split_by == "regions":
    raise UserError(
      "data.crop=whole: expected data.split_by=files, got regions (parts of a"
      " whole image cannot be held out)"
    )


def _too_small(photos: Photos, options: DataConfig, size: int) -> TooSmall:
  """The photographs smaller than a tile, each with its "name: reason"."""
  reason = f"smaller than {size} x {size} pixels"
  return {
    photo: f"{photos.names[photo]}: {reason} ({width} x {height})"
    for photo, (height, width) in enumerate(photos.sizes)
    if min(height, width) < size and not options.upsample
  }


def _check_usable(
  unusable: Sequence[str], options: DataConfig, too_small: TooSmall
) -> None:
  """Raise a UserError for unreadable or too small photographs, unless they are
  skipped: then they are among the source's findings."""
  if unusable and options.on_bad == "error":
    raise problems.report_bad(
      unusable,
      "Remove them, or set data.on_bad=skip to skip them"
      + (" or data.upsample=True to enlarge them." if too_small else "."),
    )


def _no_tiles(photos: Photos, what: str) -> UserError:
  """The error where no tiles are left, and what was skipped."""
  skipped = problems.counted(photos.problems)
  if skipped and not photos.names:
    return UserError(f"all images are unusable, and skipped: {skipped}")
  return UserError(
    f"{what}: reduce data.crop_size or stages.resolution, set"
    f" data.upsample=True, or add images{'; ' * bool(skipped)}{skipped}"
  )


def _region(
  photo: int, box: splits.Box, *, size: int, whole: bool, random: bool
) -> Region:
  if whole:
    square = splits.Box(0, 0, size, size)
    return Region(photo=photo, box=square, size=size, step=size)
  size = min(size, box.height, box.width)
  step = max(size // _STEPS_PER_TILE, 1) if random else size
  return Region(photo=photo, box=box, size=size, step=step)
