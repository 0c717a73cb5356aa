"""Held-out tiles with the image and class of each."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from jaxgen.data import pipeline
from jaxgen.data.degraded import DegradedSource
from jaxgen.data.source import Source
from jaxgen.data.tile_source import TileSource
from jaxgen.images import normalize
from jaxgen.sample.run import LoadedRun


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeldOut:
  """Held-out tiles, in random order.

  Attributes:
    images: float32, in [-1, 1].
    groups: the image of each tile; its own number where that is not known.
    labels: the class of each; -1: none.
    label_names: the names of classes; empty: there are none.
  """

  images: Float[np.ndarray, "n h w c"]
  groups: Int[np.ndarray, " n"]
  labels: Int[np.ndarray, " n"]
  label_names: tuple[str, ...] = ()

  def first(self, num: int) -> HeldOut:
    """The first tiles."""
    return dataclasses.replace(
      self,
      images=self.images[:num],
      groups=self.groups[:num],
      labels=self.labels[:num],
    )


def read(run: LoadedRun, num: int, *, seed: int = 0) -> HeldOut:
  """At most `num` tiles, evenly spaced over the held-out images of a run."""
  source = run.source("validation")
  total = len(source)
  chosen = np.linspace(0, total - 1, min(num, total)).round().astype(int)
  chosen = np.random.default_rng(seed).permutation(np.unique(chosen))
  tiles = pipeline.stack([source.read(int(i)) for i in chosen])
  missing = np.full(len(chosen), -1)
  return HeldOut(
    images=np.asarray(normalize(tiles["image"])),
    groups=photographs(source, chosen),
    labels=np.asarray(tiles.get("label", missing)),
    label_names=source.label_names,
  )


def photographs(
  source: Source, tiles: Int[np.ndarray, " n"]
) -> Int[np.ndarray, " n"]:
  """The number of the photograph of each tile; its own where that is not
  known."""
  if isinstance(source, DegradedSource):
    source = source.source
  return source.photos_of(tiles) if isinstance(source, TileSource) else tiles
