"""The section `data`: where images come from, and how tiles are cut."""

from __future__ import annotations

from typing import Literal

from jaxgen.config.fields import (
  Finite,
  NonNegativeInt,
  OpenUnit,
  PositiveInt,
  Seed,
  section,
)
from jaxgen.errors import UserError

Split = Literal["train", "validation"]


@section("data")
class DataConfig:
  """Where images come from, and how tiles are cut out of them.

  Fields that a source has no use for are ignored by it; the docstring of each
  source names those that it reads.
  """

  source: Literal[
    "textures", "rocks", "folder", "arrays", "tfds", "records"
  ] = "textures"
  """Kind of source."""
  path: str = ""
  """folder, arrays, records: where they are; tfds: name[@data_dir]."""
  masks: str = ""
  """folder: a parallel folder of per-pixel label images."""
  channels: PositiveInt = 3
  """1: gray, 3: RGB; arrays: any number."""
  crop: Literal["random", "tiled", "whole"] = "random"
  """random or tiled squares, or the whole image resized to the resolution."""
  crop_size: NonNegativeInt = 0
  """Side of a crop in source pixels; 0: the resolution."""
  upsample: bool = False
  """Allow source images smaller than a tile."""
  split_by: Literal["files", "regions"] = "files"
  """Validation holds out whole files, or regions of each file."""
  validation_fraction: OpenUnit = 0.1
  """Fraction that is held out."""
  on_bad: Literal["error", "skip"] = "error"
  """What to do with unreadable or too small files."""
  value_range: tuple[Finite, Finite] = (0.0, 1.0)
  """arrays: black and white of float images."""
  key: str = ""
  """arrays: the array of an .npz; tfds: the image feature."""
  seamless: bool = False
  """rocks: tiles that wrap around."""
  num_tiles: PositiveInt = 8192
  """rocks: tiles in the training split."""
  hflip: bool = False
  """Random left-right flips (faces, rooms, photographs)."""
  flips: bool = False
  """Random left-right and up-down flips."""
  rot90: bool = False
  """Random quarter turns."""
  cache_mb: NonNegativeInt = 2048
  """Memory for decoded images, per process."""
  seed: Seed = 0
  """Seed of shuffling, crops and procedural tiles."""
  threads: NonNegativeInt = 4
  """Threads that read ahead."""
  workers: NonNegativeInt = 0
  """Worker processes; 0: none."""

  def __post_init__(self):
    low, high = self.value_range
    if low >= high:
      raise UserError(
        f"data.value_range={self.value_range}: expected (black, white), the "
        "smaller number first."
      )
