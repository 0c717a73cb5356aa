"""Measurement of a run's restorations by resolution and photons, on held-out
tiles.

All errors are of the same tiles at full resolution: counts are drawn there,
summed in squares, restored, and enlarged by one filter.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import progress, rng
from jaxgen.batching import padded_batches
from jaxgen.data import pipeline, sources
from jaxgen.errors import UserError
from jaxgen.images import normalize
from jaxgen.metrics.images import similarity, unit
from jaxgen.parallel import device
from jaxgen.parallel.memory import program_bytes
from jaxgen.restoration import binned, image_noise, poisson_gaussian
from jaxgen.restoration.posterior import CORRECTIONS
from jaxgen.restoration.resolutions import Row, Table
from jaxgen.sample.denoiser import DenoiserRun
from jaxgen.sample.generate import check_resolution
from jaxgen.typing import Array
from jaxgen.workdir.resolutions_file import Resolutions

PHOTONS = (2.0, 5.0, 20.0, 100.0, 1000.0)
Known = dict[str, Array]
LEAST_SIDE = 8  # pixels, of resolutions that are measured by default


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sensor:
  """The noise of a measurement.

  Attributes:
    read_noise: its standard deviation in electrons.
    background: electrons of a black pixel.
    seed: selects the random numbers.
  """

  read_noise: float = 1.0
  background: float = 1.0
  seed: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Program:
  """A compiled restoration of a batch at one resolution."""

  resolution: int
  batch: int
  call: Callable[..., Array]
  bytes: int  # of a tile, without the parameters


def default_resolutions(run: DenoiserRun) -> list[int]:
  """The run's resolution, half and a quarter of it, as far as it restores
  them."""
  sides = [run.resolution // f for f in (4, 2, 1) if run.resolution % f == 0]
  return [x for x in sides if x >= LEAST_SIDE and _supported(run, x)]


def measure(
  run: DenoiserRun,
  resolutions: Sequence[int],
  *,
  photons: Sequence[float] = PHOTONS,
  sensor: Sensor | None = None,
  num: int = 256,
  batch: int = 32,
) -> Resolutions:
  """Restore held-out tiles at every resolution and number of photons.

  Args:
    run: a run of a denoiser.
    resolutions: sides of restored tiles; the largest is full resolution.
    photons: electrons of a white pixel of full resolution, above black.
    sensor: the noise.
    num: maximum number of tiles.
    batch: tiles per batch.

  Raises:
    UserError: the run cannot restore at a resolution, or has no such tiles.
  """
  sensor = sensor or Sensor()
  full = max(resolutions)
  for side in resolutions:
    _check(run, side, full)
  tiles = _tiles(run, full, num)
  size = run.whole_batch(batch, len(tiles))
  rows = []
  total = len(set(resolutions)) * len(set(photons)) * len(tiles)
  with progress.loop("restoring held-out tiles", total, unit="tiles") as step:
    for side in sorted(set(resolutions)):
      program = _compiled(run, side, full=full, batch=size)
      own = []
      for p in sorted(set(photons)):
        own.append(_row(run, program, tiles, photons=p, sensor=sensor))
        step(len(tiles))
      rows += _of_one_cost(own)
  table = Table(
    rows=tuple(rows),
    read_noise=sensor.read_noise,
    background=sensor.background,
    level=float(jnp.mean(unit(tiles))),
    detail={x: _detail(tiles, full // x) for x in set(resolutions) - {full}},
  )
  return Resolutions(
    table=table,
    parameter_bytes=_parameter_bytes(run),
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


def _compiled(
  run: DenoiserRun, side: int, *, full: int, batch: int
) -> _Program:
  """The restoration of a batch of counts, whose noise is an argument."""
  denoiser = run.task_at(side).denoiser
  assert denoiser is not None
  noise_map = run.experiment.diffusion.noise_map

  @jax.jit
  def program(params: Any, counts: Array, known: Known) -> Array:
    return binned.restored_mean(
      denoiser(params),
      counts,
      factor=full // side,
      noise_map=noise_map,
      scale=known["scale"],
      offset=known["offset"],
      read_noise=known["read_noise"],
    )

  counts = jnp.zeros((batch, full, full, run.image_shape[2]))
  counts = jax.device_put(counts, run.layout.batch)
  known = _known(1.0, Sensor())
  with progress.loop(f"compiling the restoration at {side} pixels"):
    compiled = program.lower(run.params, counts, known).compile()
  own = max(program_bytes(compiled) - _parameter_bytes(run), 1)
  each = batch // run.layout.mesh.size
  return _Program(
    resolution=side,
    batch=batch,
    call=functools.partial(compiled, run.params),
    bytes=-(-own // each),
  )


def _row(
  run: DenoiserRun,
  program: _Program,
  tiles: np.ndarray,
  *,
  photons: float,
  sensor: Sensor,
) -> Row:
  """The row of a program; the noise of a tile is the same in all programs."""
  known = _known(photons, sensor)
  noisy = {"image": tiles, "counts": _counts(tiles, known, sensor)}
  times, scores = [], []
  for part, valid in padded_batches(noisy, program.batch):
    counts = jax.device_put(part["counts"], run.layout.batch)
    start = time.perf_counter()
    answer = jax.block_until_ready(program.call(counts, known))
    times.append((time.perf_counter() - start) / program.batch)
    found = similarity(np.asarray(answer), part["image"])
    scores.append({k: np.asarray(v)[valid > 0] for k, v in found.items()})
  mean = {
    k: float(np.concatenate([x[k] for x in scores]).mean()) for k in found
  }
  return Row(
    resolution=program.resolution,
    photons=photons,
    mse=mean["mse"],
    seconds=float(np.median(times)),
    bytes=program.bytes,
    ssim=mean.get("ssim"),
  )


def _of_one_cost(rows: Sequence[Row]) -> list[Row]:
  """The rows of a program, whose time does not depend on the photons."""
  seconds = float(np.median([x.seconds for x in rows]))
  return [dataclasses.replace(x, seconds=seconds) for x in rows]


def _known(photons: float, sensor: Sensor) -> Known:
  """The noise of counts, see `posterior.restore`."""
  return {
    "scale": jnp.float32(photons / 2),
    "offset": jnp.float32(photons / 2 + sensor.background),
    "read_noise": jnp.float32(sensor.read_noise),
  }


def _counts(tiles: np.ndarray, known: Known, sensor: Sensor) -> np.ndarray:
  key = rng.stream(sensor.seed, "resolutions")
  rate = known["scale"] * tiles + known["offset"]
  return np.asarray(
    poisson_gaussian.simulate(key, rate, read_noise=known["read_noise"])
  )


def _detail(tiles: np.ndarray, factor: int) -> float:
  """The mean squared detail of tiles beyond a lower resolution."""
  planes = np.moveaxis(np.asarray(unit(tiles)), -1, 1)
  planes = planes.reshape(-1, *planes.shape[2:])
  found = [image_noise.detail(x, factor, noise=0.0) for x in planes]
  return float(np.mean([x.variance for x in found]))


def _parameter_bytes(run: DenoiserRun) -> int:
  return sum(x.nbytes for x in jax.tree.leaves(run.params))
