"""The seam between where images come from and how they are fed.

A `Source` gives random access to tiles. It knows one split and one resolution,
and holds no state that changes what it returns: `read(i, rng)` is a pure
function of `i` and of the generator's state, so that the order, the
augmentation and the resumption of a run are the pipeline's business alone.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Literal, Protocol

import numpy as np

from jaxgen.config.fields import (
  NonNegativeInt,
  OpenUnit,
  Options,
  PositiveInt,
  Seed,
)
from jaxgen.errors import UserError

Split = Literal["train", "validation"]
Element = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataOptions(Options, section="data"):
  """Everything under `data` in a config. Options that a source has no use for
  are ignored by it; each source's docstring names those that it reads."""

  source: str  # textures, rocks, folder, arrays, tfds or records
  path: str = ""  # folder, arrays, records: where; tfds: the set's name
  masks: str = ""  # folder: a parallel folder of per-pixel label images
  channels: PositiveInt = 3  # handed out: 1 (grey), 3 (RGB); arrays: any number
  crop: Literal["random", "tiled", "whole"] = "random"
  crop_size: NonNegativeInt = (
    0  # source pixels on a tile's side; 0: the resolution
  )
  upsample: bool = False  # allow sources smaller than a tile
  split_by: Literal["files", "regions"] = "files"
  validation_fraction: OpenUnit = 0.1
  on_bad: Literal["error", "skip"] = "error"  # unreadable or too small files
  value_range: tuple[float, float] = (0.0, 1.0)  # arrays: of float images
  key: str = ""  # arrays: the array of an .npz; tfds: the image feature
  seamless: bool = False  # rocks: tiles that wrap around
  num_tiles: PositiveInt = 8192  # rocks: tiles in the training split
  mirror: bool = False  # random left-right flips
  flips: bool = False  # random left-right and up-down flips
  turns: bool = False  # random quarter turns
  cache_mb: NonNegativeInt = 2048  # decoded images kept in memory, per process
  seed: Seed = 0  # of shuffling, crops and procedural tiles
  threads: NonNegativeInt = 4  # reading ahead
  workers: NonNegativeInt = 0  # worker processes; 0: none

  def __post_init__(self):
    super().__post_init__()
    low, high = self.value_range
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
      raise UserError(
        f"data.value_range={self.value_range}: (black, white) is needed, the "
        "smaller number first."
      )


class Source(Protocol):
  """Random access to the tiles of one split at one resolution.

  Attributes:
    label_names: class names, `label` indexes them; empty without labels.
    attribute_names: for each named attribute its values' names.
    fingerprint: changes when the data change (a hex digest), so that a run is
      not resumed on other data unawares.
  """

  label_names: tuple[str, ...]
  attribute_names: dict[str, tuple[str, ...]]
  fingerprint: str

  def __len__(self) -> int:
    """Tiles in one epoch."""
    ...

  def read(self, index: int, rng: np.random.Generator | None = None) -> Element:
    """Tile `index` in `[0, len(self))`.

    Args:
      index: which tile.
      rng: places a random crop; without it the crop is a fixed one, the same
        at every call (validation).

    Returns:
      `image`: (resolution, resolution, channels), uint8 in [0, 255], uint16 in
      [0, 65535] or float32 in [-1, 1]; where known `label` (int32 scalar, -1:
      missing), one int32 scalar for each attribute (-1: missing) and `mask`
      (resolution, resolution) int32. Every element of a source has the same
      keys, shapes and dtypes.
    """
    ...
