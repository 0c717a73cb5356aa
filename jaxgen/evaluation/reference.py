"""Generated images beside real ones of the same run's data."""

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
  agreement,
)
from jaxgen.metrics.features import Features
from jaxgen.metrics.spectrum import spectrum_distance
from jaxgen.sample.run import LoadedRun
from jaxgen.tasks import families
from jaxgen.typing import ConditionNames

Row = dict[str, Any]
OVERLAP = (
  "note: an epoch has fewer tiles than the two real sets, so these share some "
  "and the floor is too low; a smaller --num mends it."
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reference:
  """Real tiles that generated ones are compared with.

  Two sets of the same size, drawn from the training data as training draws
  them: one to compare with, and another one, whose distance from the first is
  the least that can be asked of generated images (the floor). Where an epoch
  has fewer tiles than both sets, they have some in common and the floor is too
  low; `overlap` says so.

  Attributes:
    network: whose features are compared.
    tiles: the set to compare with: images (uint8) and what is known of them.
    others: the other one.
    real: features of the first set, `(n, d)`.
    floor: features of the second.
    names: of the values of what is known.
  """

  network: Features
  tiles: Element
  others: Element
  real: np.ndarray
  floor: np.ndarray
  names: ConditionNames
  overlap: bool

  @classmethod
  def of(cls, run: LoadedRun, network: Features, num: int) -> Reference:
    """`num` tiles of a run's data and as many others."""
    drawn = run.drawn(2 * num, "reference")
    drawn["image"] = as_uint8(drawn["image"])
    tiles, others = (
      {k: v[part] for k, v in drawn.items()} for part in np.s_[:num, num:]
    )
    return cls(
      network=network,
      tiles=tiles,
      others=others,
      real=network.extract(tiles["image"]),
      floor=network.extract(others["image"]),
      names=families.all_condition_values(run.experiment),
      overlap=2 * num > len(run.source("train")),
    )

  def asked(self, run: Any) -> dict[str, list[str | None]]:
    """For each condition of a denoiser the values of the other tiles, so that
    its images show the same mixture; nothing where its names are others."""
    if any(self.names.get(k) != v for k, v in run.conditions.items()):
      return {}
    return {
      k: [v[i] if i >= 0 else None for i in self.others[k]]
      for k, v in run.conditions.items()
    }

  def measure(self, images: np.ndarray, features: np.ndarray) -> Row:
    """Distances of images `(n, h, w, c)` from the real ones, most of them in
    the space of their features `(n, d)`."""
    row: Row = {}
    for distance in (distribution.frechet, distribution.kid):
      name = distance.__name__
      row[name] = distance(self.real, features)
      row[f"{name}_interval"] = distribution.interval(
        distance, self.real, features
      )
    row |= distribution.manifold(self.real, features)._asdict()
    spread = distribution.diversity(features)
    row["diversity"] = spread / distribution.diversity(self.real)
    off, high = spectrum_distance(self.tiles["image"], images)
    return row | {"spectrum_db": off, "high_frequencies_db": high}

  def measure_floor(self) -> Row:
    """`measure` of the other real tiles."""
    return self.measure(self.others["image"], self.floor)


def agreements(
  reference: Reference,
  run: LoadedRun,
  asked: dict[str, np.ndarray],
  features: np.ndarray,
  num: int = 512,
) -> dict[str, ConditionAccuracy]:
  """For each condition whether generated images show what was asked of them.

  Classifiers learn from both sets of real tiles and are tried on held-out ones,
  as there may be labels that no classifier of such features can tell.
  """
  source = run.source("validation")
  held = pipeline.stack(pipeline.fixed_tiles(source, num))
  held_features = reference.network.extract(held["image"])
  known = np.concatenate([reference.real, reference.floor])
  found = {}
  for name, values in asked.items():
    labels = [x[name] for x in (reference.tiles, reference.others)]
    labels = np.concatenate(labels)
    if len(set(labels[labels >= 0])) < 2 or (held[name] < 0).all():
      continue  # there is nothing to tell apart
    classifier = Classifier(known, labels)
    found[name] = agreement(
      classifier, (held_features, held[name]), (features, values)
    )
  return found
