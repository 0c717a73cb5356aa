"""Reading of a batch of tiles, with random crops and augmentation.

Each image has a random stream of its own, which gives its flips, its rotation
and then its crop. Worker processes run this module: nothing here imports JAX or
grain.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from jaxgen.config.data import DataConfig
from jaxgen.data.source import BatchSource, Element, Source
from jaxgen.data.streams import Streams, streams


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Reader:
  """A reader of batches; picklable.

  Attributes:
    source: the tiles.
    options: augmentation.
    seed: selects the random streams.
    keep: fields of each element to return; empty: all.
  """

  source: Source
  options: DataConfig
  seed: int
  keep: tuple[str, ...] = ()

  def read(self, indices: np.ndarray, first: int) -> Element:
    """The batch of the tiles `indices` `(b,)`, whose first image is at position
    `first` in the data."""
    rng = streams(self.seed, first, num=len(indices))
    flips = np.stack([rng.random(), rng.random()], axis=1) < 0.5
    flips &= _flips(self.options)
    rot90 = rng.integers(4) * self.options.rot90
    return {
      name: _augment(x, flips, rot90)
      for name, x in _read(self.source, indices, rng).items()
      if not self.keep or name in self.keep
    }


def stack(tiles: Sequence[Element]) -> Element:
  """A batch of a list of elements."""
  return {k: np.stack([tile[k] for tile in tiles]) for k in tiles[0]}


def _read(source: Source, indices: np.ndarray, rng: Streams) -> Element:
  if isinstance(source, BatchSource):
    return source.read_batch(indices, rng)
  return stack([source.read(int(i), rng[k]) for k, i in enumerate(indices)])


def _flips(options: DataConfig) -> np.ndarray:
  """Whether images are flipped up-down and left-right."""
  return np.array([options.flips, options.flips or options.hflip])


def _augment(x: np.ndarray, flips: np.ndarray, rot90: np.ndarray) -> np.ndarray:
  """Flip and rotate each image or mask of a batch, in place; scalars are
  unchanged."""
  if x.ndim < 3:
    return x
  pixels = x if x.ndim == 3 else x.view(f"V{x.itemsize * x.shape[3]}")[..., 0]
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
