"""Reading of a batch of tiles, with random crops and augmentation.

Each image has a random stream of its own, from which its crop, its flips and
its rotation are drawn, in this order. Worker processes run this module: nothing
here imports JAX or grain.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from jaxgen.config.data import DataConfig
from jaxgen.data.source import BatchSource, Element, Source
from jaxgen.data.streams import Streams, generator, random_words


class Reader(Protocol):
  """A reader of batches; picklable."""

  def read(self, indices: np.ndarray, positions: np.ndarray) -> Element:
    """The batch of the tiles `indices` `(b,)`, with the random streams of
    `positions` `(b,)`."""
    ...


def reader(
  source: Source,
  options: DataConfig,
  *,
  key: np.ndarray,
  keep: Sequence[str] = (),
) -> Reader:
  """A reader of the fields `keep` of a source, by default of all, with random
  streams of a Philox key."""
  if isinstance(source, BatchSource):
    return BatchReader(
      source=source, options=options, key=key, keep=tuple(keep)
    )
  return TileReader(source=source, options=options, key=key, keep=tuple(keep))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class BatchReader:
  """A reader of all tiles of a batch at once."""

  source: BatchSource
  options: DataConfig
  key: np.ndarray
  keep: tuple[str, ...]

  def read(self, indices: np.ndarray, positions: np.ndarray) -> Element:
    """See `Reader.read`."""
    streams = Streams(random_words(self.key, positions))
    tiles = self.source.read_batch(indices, streams)
    flips = (streams.random(2) < 0.5) & _flips(self.options)
    rot90 = streams.integers(4) * self.options.rot90
    return {
      name: _augment_batch(x, flips, rot90)
      for name, x in tiles.items()
      if not self.keep or name in self.keep
    }


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TileReader:
  """A reader of the tiles of a batch one by one."""

  source: Source
  options: DataConfig
  key: np.ndarray
  keep: tuple[str, ...]

  def read(self, indices: np.ndarray, positions: np.ndarray) -> Element:
    """See `Reader.read`."""
    return stack(
      [
        self._read_tile(index, generator(self.key, position))
        for index, position in zip(
          indices.tolist(), positions.tolist(), strict=True
        )
      ]
    )

  def _read_tile(self, index: int, rng: np.random.Generator) -> Element:
    tile = self.source.read(index, rng)
    flips = (rng.random(2) < 0.5) & _flips(self.options)
    rot90 = int(rng.integers(4)) * self.options.rot90
    return {
      name: _augment(x, flips, rot90)
      for name, x in tile.items()
      if not self.keep or name in self.keep
    }


def stack(tiles: Sequence[Element]) -> Element:
  """A batch of a list of elements."""
  return {k: np.stack([tile[k] for tile in tiles]) for k in tiles[0]}


def _flips(options: DataConfig) -> np.ndarray:
  """Whether images are flipped up-down and left-right."""
  return np.array([options.flips, options.flips or options.hflip])


def _augment(x: np.ndarray, flips: np.ndarray, rot90: int) -> np.ndarray:
  """Flip and rotate an image or a mask; scalars are unchanged."""
  if x.ndim < 2:
    return x
  for axis, flip in enumerate(flips):
    x = np.flip(x, axis) if flip else x
  return np.ascontiguousarray(np.rot90(x, rot90) if rot90 else x)


def _augment_batch(
  x: np.ndarray, flips: np.ndarray, rot90: np.ndarray
) -> np.ndarray:
  """Flip and rotate each image or mask of a batch, in place."""
  if x.ndim < 3:
    return x
  pixels = x if x.ndim == 3 else x.view(f"V{x[0, 0, 0].nbytes}")[..., 0]
  orientations, kinds = np.unique(
    np.column_stack([flips, rot90]), axis=0, return_inverse=True
  )
  for kind, (up_down, left_right, k) in enumerate(orientations.tolist()):
    images = np.flatnonzero(kinds.reshape(-1) == kind)
    axes = (1,) * up_down + (2,) * left_right
    if axes or k:
      turned = np.rot90(np.flip(pixels[images], axes), k, (1, 2))
      pixels[images] = turned
  return x
