"""Real tiles of a run's data, which generated images are compared with."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

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
HELD_OUT = 512  # tiles at most that classifiers are tested on
OVERLAP = (
  "note: an epoch has fewer tiles than the two real sets, so these share some "
  "and the floor is too low; use a smaller --num."
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reference:
  """Two sets of real tiles of the same size, drawn from the training data as
  training draws them.

  Generated images are compared with the first; the distance of the second from
  it is the least that can be expected of them (the floor). Where an epoch has
  fewer tiles than both sets, they have some in common and the floor is too low.

  Attributes:
    network: whose features are compared.
    tiles: the first set: uint8 images, labels and attributes.
    floor_tiles: the second set.
    features: of the first set, `(n, d)`.
    floor_features: of the second set.
    names: the values of all labels and attributes.
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
    """The conditions of the second set, for images of a denoiser that show the
    same mixture; empty where the run has others."""
    if any(self.names.get(k) != v for k, v in run.conditions.items()):
      return {}
    return {
      name: [values[i] if i >= 0 else None for i in self.floor_tiles[name]]
      for name, values in run.conditions.items()
    }

  def measure(self, images: np.ndarray, features: np.ndarray) -> Measures:
    """Distances of images `(n, h, w, c)` from the first set, most of them in
    the space of their features `(n, d)`."""
    measures: Measures = {}
    for distance in (distribution.frechet, distribution.kid):
      name = distance.__name__
      measures[name] = distance(self.features, features)
      measures[f"{name}_interval"] = distribution.interval(
        distance, self.features, features
      )
    measures |= distribution.manifold(self.features, features)._asdict()
    spread = distribution.diversity(features)
    measures["diversity"] = spread / distribution.diversity(self.features)
    off, high = spectrum_distance(self.tiles["image"], images)
    return measures | {"spectrum_db": off, "high_frequencies_db": high}

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
  """The accuracy of each condition that was requested of generated images.

  Classifiers are trained on both sets of real tiles and tested on held-out
  ones, too, as no classifier may be able to see some labels.

  Args:
    reference: the real tiles.
    run: whose held-out tiles are used.
    requested: the index of the value of each image, `(n,)`.
    features: of the generated images, `(n, d)`.
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
      accuracies[name] = condition_accuracy(
        Classifier(known), tested, Labeled(features, values)
      )
  return accuracies


def _has_two_values(images: Labeled) -> bool:
  return len(set(images.values[images.values >= 0])) > 1
