"""Tiles with a small image of each, for learning to enlarge."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable

import numpy as np

from jaxgen import bicubic
from jaxgen.config.data import DataConfig
from jaxgen.data.degradation import realistic
from jaxgen.data.findings import Findings
from jaxgen.data.source import BatchSource, Element, Source
from jaxgen.data.streams import Streams

LOW = "low"  # the field of the small images
Degrade = Callable[[np.ndarray, int], np.ndarray]  # (tile, key) -> small image


@dataclasses.dataclass(eq=False, kw_only=True)
class DegradedSource:
  """A `Source` with the field `low`, images that are smaller by a factor, of
  the type of `image`; picklable.

  Attributes:
    source: the tiles.
    degrade: the small image of a tile `(h, w, c)`, a pure function of it and of
      a key; the key is of the image's random stream, or of its index without
      one.
    name: what `degrade` does, for the fingerprint.
  """

  source: Source
  degrade: Degrade
  name: str

  def __post_init__(self):
    self.label_names: tuple[str, ...] = self.source.label_names
    self.attribute_names = self.source.attribute_names
    self.findings: Findings = self.source.findings
    parts = f"{self.source.fingerprint} {self.name}"
    self.fingerprint = hashlib.sha256(parts.encode()).hexdigest()[:32]

  def __len__(self) -> int:
    return len(self.source)

  def read(self, index: int, rng: Streams | None = None) -> Element:
    """Tile `index`; see `Source.read`."""
    key = index if rng is None else int(rng.seeds())
    tile = self.source.read(index, rng)
    return tile | {LOW: self.degrade(tile["image"], key)}

  def read_batch(
    self, indices: np.ndarray, rng: Streams | None = None
  ) -> Element:
    """The tiles `indices`; see `BatchSource.read_batch`."""
    keys = indices if rng is None else rng.seeds()
    if isinstance(self.source, BatchSource):
      tiles = self.source.read_batch(indices, rng)
    else:
      each = [
        self.source.read(int(i), None if rng is None else rng[k])
        for k, i in enumerate(indices)
      ]
      tiles = {name: np.stack([x[name] for x in each]) for name in each[0]}
    pairs = zip(tiles["image"], keys, strict=True)
    low = [self.degrade(image, int(key)) for image, key in pairs]
    return tiles | {LOW: np.stack(low)}


def degraded(source: Source, options: DataConfig) -> DegradedSource:
  """The tiles of a source with small images made of them.

  Options used: `factor, degradation`.
  """
  return DegradedSource(
    source=source,
    degrade=degradation(options),
    name=f"{options.degradation} {options.factor}",
  )


def degradation(options: DataConfig) -> Degrade:
  """How small images are made of tiles; see `jaxgen.data.degradation`."""
  makers = {"bicubic": _bicubic, "realistic": realistic}
  return functools.partial(makers[options.degradation], factor=options.factor)


def _bicubic(image: np.ndarray, key: int, *, factor: int) -> np.ndarray:
  return bicubic.reduce(image, factor)
