"""Real tiles of a run's data, for comparison with generated images."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from jaxgen import progress
from jaxgen.data import pipeline
from jaxgen.data.source import Element
from jaxgen.images import as_uint8
from jaxgen.metrics import distribution
from jaxgen.metrics.condition_accuracy import (
  Classifier,
  ConditionAccuracy,
  Labeled,
  condition_accuracy,
)
from jaxgen.metrics.features import Features
from jaxgen.metrics.spectrum import spectrum_distance
from jaxgen.sample.run import LoadedRun
from jaxgen.tasks import families
from jaxgen.typing import ConditionNames

Measures = dict[str, Any]  # numbers, and intervals `(low, high)`, by name
HELD_OUT = 512  # maximum number of tiles for testing classifiers
OVERLAP = (
  "note: an epoch has fewer tiles than the two real sets, so that they share "
  "tiles and the floor is too low; use a smaller --num."
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reference:
  """Two sets of real tiles of equal size, sampled as in training.

  Generated images are compared with the first set; its distance from the second
  is the smallest that can be expected (the floor). If an epoch has fewer tiles
  than both sets, they share tiles and the floor is too low.

  Attributes:
    network: feature extractor.
    tiles: the first set: uint8 images, labels and attributes.
    floor_tiles: the second set.
    features: features of the first set, `(n, d)`.
    floor_features: features of the second set.
    names: value names of all labels and attributes.
    overlap: whether the sets share tiles.
  """

  network: Features
  tiles: Element
  floor_tiles: Element
  features: np.ndarray
  floor_features: np.ndarray
  names: ConditionNames
  overlap: bool

  @classmethod
  def of(cls, run: LoadedRun, network: Features, num: int) -> Reference:
    """Two sets of `num` tiles each of a run's data."""
    drawn = dict(run.training_tiles(2 * num, stream="reference"))
    drawn["image"] = as_uint8(drawn["image"])
    tiles, floor_tiles = (
      {k: v[part] for k, v in drawn.items()} for part in np.s_[:num, num:]
    )
    return cls(
      network=network,
      tiles=tiles,
      floor_tiles=floor_tiles,
      features=network.extract(tiles["image"]),
      floor_features=network.extract(floor_tiles["image"]),
      names=families.all_condition_values(run.experiment),
      overlap=2 * num > len(run.source("train")),
    )

  def conditions_for(self, run: LoadedRun) -> dict[str, list[str | None]]:
    """The conditions of the second set, for sampling from a denoiser; empty if
    the run has other conditions."""
    if any(self.names.get(k) != v for k, v in run.conditions.items()):
      return {}
    return {
      name: [values[i] if i >= 0 else None for i in self.floor_tiles[name]]
      for name, values in run.conditions.items()
    }

  def measure(self, images: np.ndarray, features: np.ndarray) -> Measures:
    """Distances of images `(n, h, w, c)` from the first set, mostly between
    features `(n, d)`."""
    measures: Measures = {}
    distances = distribution.frechet, distribution.kid
    for distance in progress.each("measuring", distances, unit="distances"):
      name = distance.__name__
      measures[name] = distance(self.features, features)
      measures[f"{name}_interval"] = distribution.interval(
        distance, self.features, features
      )
    measures |= distribution.manifold(self.features, features)._asdict()
    spread = distribution.diversity(features)
    measures["diversity"] = spread / distribution.diversity(self.features)
    rms, high = spectrum_distance(self.tiles["image"], images)
    return measures | {"spectrum_db": rms, "high_frequencies_db": high}

  def frechet(self, features: np.ndarray) -> float:
    """The Frechet distance of features from the first set."""
    return distribution.frechet(self.features, features)

  def measure_floor(self) -> Measures:
    """The measures of the second set."""
    return self.measure(self.floor_tiles["image"], self.floor_features)


def condition_accuracies(
  reference: Reference,
  run: LoadedRun,
  *,
  requested: dict[str, np.ndarray],
  features: np.ndarray,
) -> dict[str, ConditionAccuracy]:
  """The accuracy of each requested condition of generated images.

  Classifiers are trained on both sets of real tiles. They are also tested on
  held-out tiles, since some labels may not be predictable from images.

  Args:
    reference: the real tiles.
    run: the run whose held-out tiles are used.
    requested: by condition, the value index of each image, `(n,)`.
    features: features of the generated images, `(n, d)`.
  """
  held_out = pipeline.stack(
    pipeline.fixed_tiles(run.source("validation"), HELD_OUT)
  )
  held_features = reference.network.extract(held_out["image"])
  sets = [reference.features, reference.floor_features]
  accuracies = {}
  for name, values in requested.items():
    labels = [x[name] for x in (reference.tiles, reference.floor_tiles)]
    known = Labeled(np.concatenate(sets), np.concatenate(labels))
    tested = Labeled(held_features, held_out[name])
    if _has_two_values(known) and (tested.values >= 0).any():
      with progress.loop(f"training a classifier of {name}"):
        accuracies[name] = condition_accuracy(
          Classifier(known), tested, Labeled(features, values)
        )
  return accuracies


def _has_two_values(images: Labeled) -> bool:
  return len(set(images.values[images.values >= 0])) > 1
