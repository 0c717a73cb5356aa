"""Measurement of a run's restorations by resolution and photons, on held-out
tiles.

All errors are of the same tiles at full resolution: counts are drawn there,
summed in squares, restored, and enlarged by one filter.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import progress, rng
from jaxgen.batching import padded_batches
from jaxgen.data import pipeline, sources
from jaxgen.errors import UserError
from jaxgen.evaluation.resolution_programs import (
  Program,
  compiled,
  parameter_bytes,
)
from jaxgen.evaluation.sensors import Sensor
from jaxgen.images import normalize
from jaxgen.metrics.images import similarity, unit
from jaxgen.parallel import device
from jaxgen.restoration import image_noise, poisson_gaussian
from jaxgen.restoration.posterior import CORRECTIONS
from jaxgen.restoration.resolutions import Row, Table
from jaxgen.sample.denoiser import DenoiserRun
from jaxgen.sample.generate import check_resolution
from jaxgen.workdir.resolutions_file import Resolutions

LEAST_SIDE = 8  # pixels, of resolutions that are measured by default


def default_resolutions(run: DenoiserRun) -> list[int]:
  """The run's resolution, half and a quarter of it, as far as it restores
  them."""
  sides = [run.resolution // f for f in (4, 2, 1) if run.resolution % f == 0]
  return [x for x in sides if x >= LEAST_SIDE and _supported(run, x)]


def measure(
  run: DenoiserRun,
  resolutions: Sequence[int],
  *,
  sensors: Sequence[Sensor],
  num: int = 256,
  batch: int = 32,
  seed: int = 0,
) -> Resolutions:
  """Restore held-out tiles at every resolution and number of photons.

  Args:
    run: a run of a denoiser.
    resolutions: sides of restored tiles; the largest is full resolution.
    sensors: exposures of full resolution, of one read noise and background.
    num: maximum number of tiles.
    batch: tiles per batch.
    seed: seed of the noise.

  Raises:
    UserError: the run cannot restore at a resolution, or has no such tiles.
  """
  full = max(resolutions)
  for side in resolutions:
    _check(run, side, full)
  tiles = _tiles(run, full, num)
  size = run.whole_batch(batch, len(tiles))
  rows = []
  total = len(set(resolutions)) * len(set(sensors)) * len(tiles)
  with progress.loop("restoring held-out tiles", total, unit="tiles") as step:
    for side in sorted(set(resolutions)):
      program = compiled(run, side, full=full, batch=size)
      own = []
      for sensor in sorted(set(sensors), key=lambda x: x.photons):
        own.append(_row(run, program, tiles, sensor=sensor, seed=seed))
        step(len(tiles))
      rows += _of_one_cost(own)
  table = Table(
    rows=tuple(rows),
    read_noise=float(sensors[0].read_noise),
    background=float(sensors[0].background),
    level=float(jnp.mean(unit(tiles))),
    detail={x: _detail(tiles, full // x) for x in set(resolutions) - {full}},
  )
  return Resolutions(
    table=table,
    parameter_bytes=parameter_bytes(run),
    calls=network_calls(run),
    step=run.step,
    tiles=len(tiles),
    devices=device.label(),
  )


def network_calls(run: DenoiserRun) -> int:
  """Network calls of a restoration without a sampler."""
  return 2 if run.experiment.diffusion.noise_map else 1 + CORRECTIONS


def _supported(run: DenoiserRun, side: int) -> bool:
  try:
    check_resolution(run, side)
  except UserError:
    return False
  return True


def _check(run: DenoiserRun, side: int, full: int) -> None:
  if full % side:
    raise UserError(
      f"resolutions: expected sides that divide {full}, got {side}."
    )
  try:
    check_resolution(run, side)
  except UserError as e:
    raise UserError(f"resolutions: {side}: {e}") from e


def _tiles(run: DenoiserRun, side: int, num: int) -> np.ndarray:
  """Held-out tiles as float32 images in [-1, 1]."""
  source = sources.build(run.experiment.data, "validation", side)
  tiles = pipeline.stack(pipeline.fixed_tiles(source, num))
  return np.asarray(normalize(tiles["image"]))


def _row(
  run: DenoiserRun,
  program: Program,
  tiles: np.ndarray,
  *,
  sensor: Sensor,
  seed: int,
) -> Row:
  """The row of a program; the noise of a tile is the same in all programs."""
  key = rng.stream(seed, "resolutions")
  rate = jnp.asarray(sensor.rates(tiles))
  drawn = poisson_gaussian.simulate(key, rate, read_noise=sensor.read_noise)
  noisy = {"image": tiles, "counts": np.asarray(drawn)}
  times, scores = [], []
  for part, valid in padded_batches(noisy, program.batch):
    counts = jax.device_put(part["counts"], run.layout.batch)
    start = time.perf_counter()
    answer = jax.block_until_ready(program.call(counts, sensor))
    times.append((time.perf_counter() - start) / program.batch)
    found = similarity(np.asarray(answer), part["image"])
    scores.append({k: np.asarray(v)[valid > 0] for k, v in found.items()})
  mean = {
    k: float(np.concatenate([x[k] for x in scores]).mean()) for k in found
  }
  return Row(
    resolution=program.resolution,
    photons=float(sensor.photons),
    mse=mean["mse"],
    seconds=float(np.median(times)),
    bytes=program.bytes,
    window_bytes=program.window_bytes,
    ssim=mean.get("ssim"),
  )


def _of_one_cost(rows: Sequence[Row]) -> list[Row]:
  """The rows of a program, whose time does not depend on the photons."""
  seconds = float(np.median([x.seconds for x in rows]))
  return [dataclasses.replace(x, seconds=seconds) for x in rows]


def _detail(tiles: np.ndarray, factor: int) -> float:
  """The mean squared detail of tiles beyond a lower resolution."""
  planes = np.moveaxis(np.asarray(unit(tiles)), -1, 1)
  planes = planes.reshape(-1, *planes.shape[2:])
  found = [image_noise.detail(x, factor, noise=0.0) for x in planes]
  return float(np.mean([x.variance for x in found]))
