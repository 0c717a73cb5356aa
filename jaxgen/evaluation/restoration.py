"""Evaluation of a denoiser as the prior of restoration: held-out tiles, with
the noise of a sensor, restored by it and by other ways.

All ways restore the same counts. Those that sample are slow, and restore only
the first of the tiles, as many as a budget of network calls allows. What a way
gains is measured on tiles that both ways restored.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from jaxgen import progress
from jaxgen.errors import UserError
from jaxgen.evaluation import (
  calibration_levels,
  image_bootstrap,
  restorers,
)
from jaxgen.evaluation.calibration_levels import Calibration
from jaxgen.evaluation.coverage import Spread
from jaxgen.evaluation.held_out import HeldOut
from jaxgen.evaluation.prior import Prior, image_keys
from jaxgen.evaluation.reconstruction import scorer
from jaxgen.evaluation.restoration_bench import COUNTS, Bench, Plan, Row
from jaxgen.evaluation.restorers import Restorer
from jaxgen.evaluation.sensors import Sensor, simulate

LEAST = 8  # tiles
CALIBRATED = 128  # tiles for the calibration by noise level


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
  ways: Iterable[Restorer], num: int, budget: int, *, levels: int, samples: int
) -> Plan:
  """The tiles that a budget of network calls allows: half of it for ways that
  do not sample, the rest for those that do.

  Raises:
    UserError: too few tiles.
  """
  calls = [_repeats(x, samples) * x.calls for x in ways]
  few = sum(x.calls for x in ways if x.calls < restorers.STEPS)
  many = sum(calls) - few
  tiles = min(num, budget // (2 * levels * few))
  sampled = tiles
  if many:
    left = budget - tiles * levels * few
    sampled = min(tiles, left // (levels * many))
  if sampled < LEAST:
    need = 2 * LEAST * levels * max(few, many)
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
  ways: Mapping[str, Restorer],
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
    ways: the ways, by name.
    plan: how many tiles each way restores.
    weights: weights of LPIPS, if they are not installed.
    seed: seed of the noise and of samples.
    log: function that prints progress lines.
  """
  tiles = tiles.first(plan.tiles)
  keys = image_keys(seed, len(tiles.images), COUNTS)
  counts = {s: np.asarray(simulate(s, tiles.images, keys)) for s in sensors}
  bench = Bench(
    ways=dict(ways),
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
    reference=restorers.reference(prior),
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
