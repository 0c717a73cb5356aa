"""Ways of restoration measured on the same tiles and counts."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import numpy as np

from jaxgen.evaluation import coverage, restorers
from jaxgen.evaluation.coverage import Spread
from jaxgen.evaluation.reconstruction import Scores
from jaxgen.evaluation.restorers import Restorer
from jaxgen.evaluation.sensors import Sensor, chi_squared

SLOW_TILES = 128  # that classical ways restore, at about a second each
COUNTS = "counts"  # the way that does nothing
SAMPLE = "one sample"
SHOWN = 4  # tiles in pictures


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
  """A way at a sensor.

  Attributes:
    sensor: the sensor.
    name: name of the way.
    calls: network calls per tile.
    seconds: per tile.
    scores: `(m,)` of the first m tiles, by metric.
    images: restored tiles, for pictures.
  """

  sensor: Sensor
  name: str
  calls: int
  seconds: float
  scores: Scores
  images: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
  """How many tiles are restored.

  Attributes:
    tiles: by ways of one or a few network calls.
    sampled: by those that sample.
    samples: samples of each tile; 0: none.
  """

  tiles: int
  sampled: int
  samples: int

  def within(self, num: int) -> Plan:
    """The plan for no more tiles than there are."""
    return dataclasses.replace(
      self, tiles=min(self.tiles, num), sampled=min(self.sampled, num)
    )

  def of(self, way: Restorer) -> int:
    """The number of tiles for a way."""
    if way.calls >= restorers.STEPS:
      return self.sampled
    return self.tiles if way.calls else min(self.tiles, SLOW_TILES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bench:
  """Ways and tiles to measure them on."""

  ways: dict[str, Restorer]
  truths: np.ndarray
  score: Callable[[np.ndarray, np.ndarray], Scores]
  plan: Plan
  seed: int

  def rows(self, sensor: Sensor, counts: np.ndarray) -> list[Row]:
    """The ways that give one image."""
    found = [self._row(COUNTS, sensor, counts, sensor.images(counts))]
    for name, way in self.ways.items():
      if name != restorers.SAMPLE:
        part = counts[: self.plan.of(way)]
        images, seconds = self._timed(way, part, sensor, self.seed)
        row = self._row(name, sensor, counts, images)
        found.append(dataclasses.replace(row, calls=way.calls, seconds=seconds))
    return found

  def sampled(
    self, sensor: Sensor, counts: np.ndarray
  ) -> tuple[list[Row], dict[Sensor, Spread]]:
    """Samples and their mean, and the spread that they tell."""
    num, way = self.plan.samples, self.ways[restorers.SAMPLE]
    if not num:
      return [], {}
    part = counts[: self.plan.sampled]
    runs = [
      self._timed(way, part, sensor, (self.seed + k) % 2**32)
      for k in range(num)
    ]
    samples, seconds = (np.stack(x) for x in zip(*runs, strict=True))
    one, mean = (
      dataclasses.replace(
        self._row(name, sensor, counts, images),
        calls=way.calls * k,
        seconds=float(seconds[:k].sum()),
      )
      for name, images, k in (
        (SAMPLE, samples[0], 1),
        (f"mean of {num} samples", samples.mean(0), num),
      )
    )
    if num == 1:
      return [one], {}
    truths = self.truths[: len(part)]
    return [one, mean], {sensor: coverage.spread(samples, truths)}

  def _timed(
    self, way: Restorer, counts: np.ndarray, sensor: Sensor, seed: int
  ) -> tuple[np.ndarray, float]:
    """Restored tiles, and seconds per tile."""
    start = time.monotonic()
    images = way.run(counts, sensor, seed)
    return images, (time.monotonic() - start) / len(counts)

  def _row(
    self, name: str, sensor: Sensor, counts: np.ndarray, images: np.ndarray
  ) -> Row:
    num = len(images)
    misfit = chi_squared(sensor, counts[:num], images)
    scores = self.score(images, self.truths[:num])
    return Row(
      sensor=sensor,
      name=name,
      calls=0,
      seconds=0.0,
      scores=scores | {"chi_squared": misfit},
      images=images[:SHOWN],
    )
