"""Ways to restore counts that an evaluation compares, by one denoiser and by
none.

All take the same counts and give images; those that sample end at a noise level
of 0.002.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import jax
import numpy as np

from jaxgen import progress
from jaxgen.diffusion import sigmas
from jaxgen.evaluation import classical
from jaxgen.evaluation import restoration_ways as ways
from jaxgen.evaluation.prior import Keys, Prior, image_keys
from jaxgen.evaluation.sensors import Sensor
from jaxgen.models.attention import attention_tracing
from jaxgen.restoration import posterior
from jaxgen.typing import DenoiseFn, Images, Params

Way = Callable[[DenoiseFn, Images, Sensor, Keys], Images]
STEPS = 36  # of the samplers
GRADIENT = 3  # calls that a call with its gradient costs

CLASSICAL = {
  "Anscombe + BM3D": classical.bm3d,
  "Anscombe + non-local means": classical.non_local_means,
  "Anscombe + total variation": classical.total_variation,
}
MAP, MEAN, GCR, SAMPLE = "one call", "one call, even noise", "GCR", "sample"
DPS, DIFFPIR = "DPS", "DiffPIR"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Restorer:
  """A way to restore counts.

  Attributes:
    name: its name in tables.
    calls: network calls per image, derivatives counted as calls.
    run: counts, sensor and seed to images.
  """

  name: str
  calls: int
  run: Callable[[np.ndarray, Sensor, int], np.ndarray]


def reference(prior: Prior) -> str:
  """The way of a denoiser that others are compared with."""
  return MAP if prior.noise_map else MEAN


def alone(prior: Prior) -> dict[str, Restorer]:
  """The ways that `jaxgen restore` takes: the mean by a few calls, and samples
  of the posterior."""
  own = {MAP, SAMPLE} if prior.noise_map else {MEAN, GCR, SAMPLE}
  return {name: x for name, x in network(prior).items() if name in own}


def network(prior: Prior) -> dict[str, Restorer]:
  """The ways by a denoiser, by name."""
  grid = sigmas.karras(STEPS, sigma_max=prior.sigma_max)
  known: dict[str, tuple[int, Way]] = {
    MEAN: (1, functools.partial(ways.mean, noise_map=False, corrections=0)),
    GCR: (
      1 + 2 * posterior.CORRECTIONS,
      functools.partial(
        ways.mean, noise_map=False, corrections=posterior.CORRECTIONS
      ),
    ),
    DIFFPIR: (STEPS, functools.partial(ways.diffpir, grid=grid)),
    DPS: (GRADIENT * STEPS, functools.partial(ways.dps, grid=grid)),
    SAMPLE: (
      STEPS + 1 if prior.noise_map else STEPS * (1 + 2 * posterior.CORRECTIONS),
      functools.partial(ways.sample, noise_map=prior.noise_map, grid=grid),
    ),
  }
  if prior.noise_map:
    mapped = functools.partial(ways.mean, noise_map=True, corrections=0)
    known = {MAP: (2, mapped), **known}
  return {name: _compiled(prior, name, *way) for name, way in known.items()}


def _compiled(prior: Prior, name: str, calls: int, way: Way) -> Restorer:
  """A way as a program, for any sensor."""
  derives = name == GCR or (name == SAMPLE and not prior.noise_map)

  @jax.jit
  def program(params: Params, counts: Images, keys: Keys, sensor: Sensor):
    denoise, each = prior.denoiser(params), jax.random.wrap_key_data(keys)
    with attention_tracing("forward_mode" if derives else ""):
      return way(denoise, counts, sensor, each)

  def run(counts: np.ndarray, sensor: Sensor, seed: int) -> np.ndarray:
    data = np.asarray(jax.random.key_data(image_keys(seed, len(counts), name)))
    given = {"image": counts, "keys": data}
    return prior.each(program, given, sensor, label=name)

  return Restorer(name=name, calls=calls, run=run)


def without_network() -> dict[str, Restorer]:
  """The classical ways that are installed, by name."""
  found = dict(CLASSICAL)
  if not classical.has_bm3d():
    del found["Anscombe + BM3D"]
  return {k: _without_network(k, x) for k, x in found.items()}


def _without_network(name: str, denoise: classical.Denoise) -> Restorer:
  def run(counts: np.ndarray, sensor: Sensor, seed: int) -> np.ndarray:
    noise = float(sensor.read_noise)
    rates = [
      classical.restored(x, denoise, read_noise=noise)
      for x in progress.each(name, list(counts))
    ]
    return sensor.images(np.stack(rates))

  return Restorer(name=name, calls=0, run=run)
