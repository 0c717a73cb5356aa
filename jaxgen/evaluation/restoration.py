"""Evaluation of a denoiser as the prior of restoration: held-out tiles, with
the noise of a sensor, restored by it and by other ways.

All ways restore the same counts. Those that sample are slow: they restore the
first of the tiles, as many as a budget of network calls allows, and so does
BM3D. What a way gains is measured on tiles that both ways restored.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence

import numpy as np

from jaxgen import progress
from jaxgen.errors import UserError
from jaxgen.evaluation import (
  calibration_levels,
  coverage,
  image_bootstrap,
  restorers,
)
from jaxgen.evaluation.calibration_levels import Calibration
from jaxgen.evaluation.coverage import Spread
from jaxgen.evaluation.held_out import HeldOut
from jaxgen.evaluation.reconstruction import Scores, scorer
from jaxgen.evaluation.restorers import Prior, Restorer
from jaxgen.evaluation.sensors import Sensor, chi_squared, simulate

PHOTONS = (2.0, 5.0, 20.0, 100.0, 1000.0)
SLOW_TILES = 128  # that classical ways restore, at about a second each
LEAST = 8  # tiles
COUNTS = "counts"  # the way that does nothing
SAMPLE = "one sample"
SHOWN = 4  # tiles in pictures
CALIBRATED = 128  # tiles for the calibration by noise level


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
class Restoration:
  """The result of an evaluation.

  Attributes:
    tiles: the held-out tiles.
    counts: their counts, by sensor.
    rows: every way at every sensor.
    spreads: deviations of truths from samples, by sensor.
    by_sigma: calibration of the denoiser for even noise.
    by_photons: the same for counts; empty for denoisers without noise maps.
    reference: the way that others are compared with.
  """

  tiles: HeldOut
  counts: dict[Sensor, np.ndarray]
  rows: list[Row]
  spreads: dict[Sensor, Spread]
  by_sigma: list[Calibration]
  by_photons: list[Calibration]
  reference: str


def affordable(
  prior: Prior, num: int, budget: int, *, levels: int, samples: int
) -> Plan:
  """The tiles that a budget of network calls allows: half of it for ways that
  do not sample, the rest for those that do.

  Raises:
    UserError: too few tiles.
  """
  ways = restorers.network(prior).values()
  few = sum(x.calls for x in ways if x.calls < restorers.STEPS)
  many = sum(_repeats(x, samples) * x.calls for x in ways) - few
  tiles = min(num, budget // (2 * levels * few))
  sampled = min(tiles, (budget - tiles * levels * few) // (levels * many))
  if sampled < LEAST:
    need = 2 * LEAST * levels * many
    raise UserError(
      f"--num={num} and --budget={budget}: expected at least {LEAST} tiles, got"
      f" {sampled} that are sampled; --budget={need} allows them."
    )
  return Plan(tiles=tiles, sampled=sampled, samples=samples)


def _repeats(way: Restorer, samples: int) -> int:
  return samples if way.name == restorers.SAMPLE else 1


def evaluate(
  prior: Prior,
  tiles: HeldOut,
  sensors: Sequence[Sensor],
  *,
  plan: Plan,
  weights: str = "",
  seed: int = 0,
  log: Callable[[str], None] = print,
) -> Restoration:
  """Restore the tiles by every way, and measure.

  Args:
    prior: the denoiser.
    tiles: held-out tiles.
    sensors: the sensors.
    plan: how many tiles each way restores.
    weights: weights of LPIPS, if they are not installed.
    seed: seed of the noise and of samples.
    log: function that prints progress lines.
  """
  tiles = tiles.first(plan.tiles)
  keys = restorers.keys(seed, len(tiles.images), COUNTS)
  counts = {s: np.asarray(simulate(s, tiles.images, keys)) for s in sensors}
  bench = _Bench(
    ways=restorers.without_network() | restorers.network(prior),
    truths=tiles.images,
    score=scorer(tiles.images.shape[-1], weights),
    plan=plan,
    seed=seed,
  )
  rows, spreads = [], {}
  with progress.loop("restoring", len(sensors), unit="sensors") as advance:
    for sensor, values in counts.items():
      start = time.monotonic()
      rows += bench.rows(sensor, values)
      more, drawn = bench.sampled(sensor, values)
      rows, spreads = rows + more, spreads | drawn
      log(f"{sensor.photons:g} photons: {time.monotonic() - start:.0f} s")
      advance()
  by_sigma, by_photons = _calibrations(prior, tiles, counts, seed)
  return Restoration(
    tiles=tiles,
    counts=counts,
    rows=rows,
    spreads=spreads,
    by_sigma=by_sigma,
    by_photons=by_photons,
    reference=restorers.MAP if prior.noise_map else restorers.MEAN,
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Bench:
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
    runs = [self._timed(way, part, sensor, self.seed + k) for k in range(num)]
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


def _calibrations(
  prior: Prior, tiles: HeldOut, counts: dict[Sensor, np.ndarray], seed: int
) -> tuple[list[Calibration], list[Calibration]]:
  """Those of even noise, and of counts if the denoiser takes noise maps."""
  few = tiles.first(CALIBRATED)
  draws = image_bootstrap.draws(few.groups)
  even = calibration_levels.by_sigma(prior, few.images, draws, seed=seed)
  if not prior.noise_map:
    return even, []
  seen = {sensor: x[:CALIBRATED] for sensor, x in counts.items()}
  return even, calibration_levels.by_photons(
    prior, few.images, seen, draws, seed=seed
  )
