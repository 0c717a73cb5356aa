"""The section `data`: the source of images and the cutting of tiles."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from jaxgen.config.fields import (
  Finite,
  Int,
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
  """The source of images, and how tiles are cut from them.

  A source ignores fields that it does not use; its docstring lists those that
  it reads.
  """

  source: Literal[
    "textures", "rocks", "folder", "arrays", "tfds", "records"
  ] = "textures"
  """Kind of source."""
  path: str = ""
  """folder, arrays, records: path of the data; tfds: name[@data_dir]."""
  masks: str = ""
  """folder: a parallel folder of per-pixel label images."""
  hints: str = ""
  """folder: a parallel folder of images, the hints of hint.kind=image."""
  hint_channels: Annotated[Int, Field(ge=1, le=16)] = 3
  """folder: channels of these images, 1: gray, 3: RGB."""
  channels: Annotated[Int, Field(ge=1, le=16)] = 3
  """1: gray, 3: RGB, 4: packed Bayer mosaics; folder, arrays, tfds: any."""
  shown_channels: tuple[NonNegativeInt, ...] = ()
  """Channels in pictures: one (gray) or three; (): the first one or three."""
  crop: Literal["random", "tiled", "whole"] = "random"
  """random or tiled squares, or the whole image resized to the resolution."""
  crop_size: NonNegativeInt = 0
  """Side of a crop in source pixels; 0: the resolution."""
  upsample: bool = False
  """Allow source images smaller than a tile."""
  split_by: Literal["files", "regions"] = "files"
  """Validation holds out whole files, or regions of each file."""
  validation_fraction: OpenUnit = 0.1
  """Fraction of the data that is held out."""
  balance: Literal["natural", "uniform", "inverse", "adaptive"] = "natural"
  """Shares of the classes (domains) in batches: as in the data, equal, by
  inverse frequency, or equal with loss weights by each one's loss."""
  on_bad: Literal["error", "skip"] = "error"
  """Unreadable or too small files, and folders of images outside of the splits:
  raise an error, or skip them."""
  value_range: tuple[Finite, ...] = ()
  """folder, arrays: stored values of black and white; (): the whole range of
  uint8 and uint16, (0, 1) of floats, and an error for other types."""
  key: str = ""
  """arrays: the array of an .npz or .pt; tfds: the image feature."""
  page: Annotated[Int, Field(ge=-1)] = -1
  """folder: the page of TIFF stacks to read, from 0; -1: every page is an
  image."""
  factor: Literal[0, 2, 3, 4] = 0
  """task=upscale: factor between the sides of the image and of the small one
  that is enlarged; 0: none."""
  degradation: Literal["bicubic", "realistic", "pairs"] = "bicubic"
  """task=upscale: how small images are made: bicubic reduction; blur, resizing,
  noise and JPEG, twice over, drawn for each tile; or they are given (lows)."""
  lows: str = ""
  """folder, degradation=pairs: a parallel folder of small images."""
  seamless: bool = False
  """rocks: tiles that wrap around at the edges."""
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
  """Prefetching threads."""
  workers: NonNegativeInt = 0
  """Worker processes; 0: none."""

  def __post_init__(self):
    limits = self.value_range
    if limits and (len(limits) != 2 or limits[0] >= limits[1]):
      raise UserError(
        f"data.value_range={limits}: expected (black, white) with "
        "black < white."
      )
    shown = self.shown_channels
    if len(shown) not in (0, 1, 3) or any(x >= self.channels for x in shown):
      raise UserError(
        f"data.shown_channels={shown}: expected one or three of the "
        f"data.channels={self.channels} channels, counted from 0."
      )
