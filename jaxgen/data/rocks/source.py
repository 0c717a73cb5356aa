"""Procedural rock tiles with labeled attributes and mineral masks.

A tile is a pure function of the seed, the split and its index. Four attributes
are drawn independently and uniformly: the type of rock (the fabric of its
grains), the color scheme, the pattern on top of the fabric, and the zoom level.
An index is the same rock at every resolution.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from typing import Literal

import numpy as np

from jaxgen.config.data import DataConfig, Split
from jaxgen.config.fields import check_value
from jaxgen.data.cache import ImageCache, shared
from jaxgen.data.findings import Findings
from jaxgen.data.rocks import fabric, paint, structure, texture
from jaxgen.data.source import Element
from jaxgen.data.streams import Streams
from jaxgen.errors import UserError

FORMAT_VERSION = 1  # increment when tiles change
RESOLUTIONS = (32, 1024)

ROCK_TYPES = tuple(fabric.FABRICS)
TEXTURE_PATTERNS = tuple(structure.STRUCTURES)
COLOR_SCHEMES = tuple(paint.PALETTES)
ZOOM_LEVELS = paint.ZOOM_LEVELS
PHASES = fabric.PHASES

ATTRIBUTES = {
  "rock_type": ROCK_TYPES,
  "color_scheme": COLOR_SCHEMES,
  "texture_pattern": TEXTURE_PATTERNS,
  "zoom_level": ZOOM_LEVELS,
}

_LEAST_SIZE = 128  # minimum pixels drawn; smaller tiles are averaged
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rocks:
  """A `Source` of procedural rocks; safe to read from several threads.

  Tiles are cached, since drawing one takes milliseconds.
  """

  split: Split
  resolution: int
  num_tiles: int
  channels: int
  seamless: bool
  seed: int
  fingerprint: str
  cache: ImageCache
  label_names: tuple[str, ...] = ROCK_TYPES
  attribute_names: dict[str, tuple[str, ...]] = dataclasses.field(
    default_factory=lambda: dict(ATTRIBUTES)
  )
  findings: Findings = Findings(
    split="by index: held-out tiles are drawn with random numbers of their own"
  )

  def __len__(self) -> int:
    return self.num_tiles

  def read(self, index: int, rng: Streams | None = None) -> Element:
    """Tile `index`; `rng` is ignored.

    Returns:
      `image` (resolution, resolution, channels) uint8, `label` (the rock type),
      the attributes, and `mask` (resolution, resolution) int32 into `PHASES`.
    """
    return self._element(self._tile(index))

  def read_batch(
    self, indices: np.ndarray, rng: Streams | None = None
  ) -> Element:
    """The tiles `indices`, stacked; `rng` is ignored."""
    tiles = map(self._tile, indices.tolist())
    return self._element(map(np.stack, zip(*tiles, strict=True)))

  def _tile(self, index: int) -> tuple[np.ndarray, ...]:
    if not 0 <= index < self.num_tiles:
      raise IndexError(f"tile {index} of {self.num_tiles}")
    key = (self.fingerprint, self.split, self.resolution, index)
    return self.cache.get(key, lambda: self._make(index))

  def _element(self, arrays: Iterable[np.ndarray]) -> Element:
    """The fields of the arrays of a tile, or of a batch."""
    image, mask, *values = arrays
    attributes = dict(zip(ATTRIBUTES, values, strict=True))
    label = attributes["rock_type"]
    mask = mask.astype(np.int32)
    return {"image": image, "label": label, "mask": mask, **attributes}

  def _make(self, index: int) -> tuple[np.ndarray, ...]:
    """Draw a tile: image and mask as uint8, and the attributes in order."""
    key = (self.seed % 2**64, ("train", "validation").index(self.split), index)
    rgb, mask, attributes = _draw(key, self.resolution, self.seamless)
    if self.channels == 1:
      rgb = rgb @ _LUMA[:, None]
    image = (rgb * 255 + 0.5).astype(np.uint8)
    return image, mask.astype(np.uint8), *attributes.values()


def rocks(options: DataConfig, split: Split, resolution: int) -> Rocks:
  """The rocks of one split.

  Options used: `num_tiles, validation_fraction, channels, seamless, seed,
  cache_mb`.

  Args:
    options: the section `data`.
    split: "train" has `num_tiles` tiles; "validation" a fraction
      `validation_fraction` of that number, distinct from training tiles.
    resolution: side of a tile in pixels, 32 to 1024.

  Returns:
    The source.

  Raises:
    UserError: an unsupported resolution or number of channels.
  """
  low, high = RESOLUTIONS
  if not low <= resolution <= high:
    raise UserError(
      f"data.source=rocks: expected a resolution from {low} to {high}, got "
      f"{resolution}."
    )
  check_value("data.channels", Literal[1, 3], options.channels)
  num_tiles = options.num_tiles
  if split == "validation":
    num_tiles = max(1, round(num_tiles * options.validation_fraction))
  return Rocks(
    split=split,
    resolution=resolution,
    num_tiles=num_tiles,
    channels=options.channels,
    seamless=options.seamless,
    seed=options.seed,
    fingerprint=_fingerprint(options),
    cache=shared(options.cache_mb << 20),
  )


def _fingerprint(options: DataConfig) -> str:
  names = ("seed", "num_tiles", "seamless", "validation_fraction", "channels")
  values = {name: getattr(options, name) for name in names}
  values |= {"source": "rocks", "version": FORMAT_VERSION}
  text = json.dumps(values, sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()


def _draw(key: tuple[int, ...], resolution: int, seamless: bool):
  """Draw RGB in [0, 1], int32 phases, and the attributes as int32 scalars."""
  oversample = -(-_LEAST_SIZE // resolution)
  canvas = texture.Canvas(
    size=resolution * oversample, seamless=seamless, key=key
  )
  rng = canvas.rng("attributes")
  attributes = {
    name: np.array(rng.integers(len(values)), np.int32)
    for name, values in ATTRIBUTES.items()
  }
  named = {k: values[attributes[k]] for k, values in ATTRIBUTES.items()}
  rgb, phase = paint.draw_rock(canvas, **named)
  if oversample > 1:
    rgb = rgb.reshape(resolution, oversample, -1).mean(1)
    rgb = rgb.reshape(resolution, resolution, oversample, 3).mean(2)
    center = slice(oversample // 2, None, oversample)
    phase = phase[center, center]
  return rgb, phase.astype(np.int32), attributes
