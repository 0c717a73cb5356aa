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
import jax.numpy as jnp
import numpy as np
from jaxtyping import Key

from jaxgen import batching, progress, rng
from jaxgen.diffusion import samplers, sampling, sigmas
from jaxgen.evaluation import classical
from jaxgen.evaluation.sensors import Sensor
from jaxgen.models.layers import attention_tracing
from jaxgen.restoration import posterior, published
from jaxgen.restoration.noise import GaussianNoise
from jaxgen.restoration.operators import Measurement, identity
from jaxgen.sample.denoiser import DenoiserRun
from jaxgen.sample.resolve import FREE
from jaxgen.typing import Array, Conditions, DenoiseFn, Images, Params, Sigmas

Keys = Key[Array, " b"]
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
class Prior:
  """A denoiser with its weights.

  Attributes:
    denoiser: params -> denoiser.
    params: the weights.
    noise_map: whether it takes noise maps.
    sigma_max: highest noise level of samplers.
    batch: images per batch.
  """

  denoiser: Callable[[Params], DenoiseFn]
  params: Params
  noise_map: bool
  sigma_max: float = sigmas.SIGMA_MAX
  batch: int = 64

  @classmethod
  def of(cls, run: DenoiserRun, *, batch: int) -> Prior:
    """The denoiser of a run, without values of its conditions."""
    assert run.task.denoiser is not None  # guaranteed by `load`
    names = tuple(run.conditions)
    return cls(
      denoiser=functools.partial(_free, run.task.denoiser, names),
      params=run.params,
      noise_map=run.experiment.diffusion.noise_map,
      sigma_max=run.experiment.diffusion.sigma_max,
      batch=batch,
    )

  def each(
    self,
    function: Callable[..., Array],
    images: dict[str, np.ndarray],
    *fixed: object,
    label: str,
  ) -> np.ndarray:
    """A jitted function of the weights, batches of arrays and more arguments,
    over all images."""
    parts, num = [], len(images["image"])
    size = min(self.batch, 1 << (num - 1).bit_length())
    with progress.loop(label, num) as advance:
      for part, _ in batching.padded_batches(images, size):
        parts.append(np.asarray(function(self.params, *part.values(), *fixed)))
        advance(size)
    return np.concatenate(parts)[:num]


def _free(
  denoiser: Callable[[Params], DenoiseFn],
  names: tuple[str, ...],
  params: Params,
) -> DenoiseFn:
  denoise = denoiser(params)

  def unconditional(
    x: Images, sigma: Sigmas, cond: Conditions = None
  ) -> Images:
    free = {name: jnp.full(len(x), FREE) for name in names}
    return denoise(x, sigma, free or None)

  return unconditional


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


def network(prior: Prior) -> dict[str, Restorer]:
  """The ways by a denoiser, by name."""
  grid = sigmas.karras(STEPS, sigma_max=prior.sigma_max)
  ways: dict[str, tuple[int, Way]] = {
    MEAN: (1, functools.partial(_mean, noise_map=False, corrections=0)),
    GCR: (
      1 + 2 * posterior.CORRECTIONS,
      functools.partial(
        _mean, noise_map=False, corrections=posterior.CORRECTIONS
      ),
    ),
    DIFFPIR: (STEPS, functools.partial(_diffpir, grid=grid)),
    DPS: (GRADIENT * STEPS, functools.partial(_dps, grid=grid)),
    SAMPLE: (
      STEPS + 1 if prior.noise_map else STEPS * (1 + 2 * posterior.CORRECTIONS),
      functools.partial(_sample, noise_map=prior.noise_map, grid=grid),
    ),
  }
  if prior.noise_map:
    mapped = functools.partial(_mean, noise_map=True, corrections=0)
    ways = {MAP: (2, mapped), **ways}
  return {name: _compiled(prior, name, *way) for name, way in ways.items()}


def _compiled(prior: Prior, name: str, calls: int, way: Way) -> Restorer:
  """A way as a program, for any sensor."""
  derives = name == GCR or (name == SAMPLE and not prior.noise_map)

  @jax.jit
  def program(params: Params, counts: Images, keys: Keys, sensor: Sensor):
    denoise, each = prior.denoiser(params), jax.random.wrap_key_data(keys)
    with attention_tracing("forward_mode" if derives else ""):
      return way(denoise, counts, sensor, each)

  def run(counts: np.ndarray, sensor: Sensor, seed: int) -> np.ndarray:
    data = np.asarray(jax.random.key_data(keys(seed, len(counts), name)))
    given = {"image": counts, "keys": data}
    return prior.each(program, given, sensor, label=name)

  return Restorer(name=name, calls=calls, run=run)


def keys(seed: int, num: int, purpose: str) -> Keys:
  """A random key of each image, whatever their number, for a purpose."""
  return rng.per_sample(rng.stream(seed, purpose), jnp.arange(num))


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


def _posterior(
  denoise: DenoiseFn,
  counts: Images,
  sensor: Sensor,
  *,
  noise_map: bool,
  corrections: int,
) -> DenoiseFn:
  return posterior.restore(
    denoise,
    counts,
    scale=sensor.scale,
    offset=sensor.offset,
    read_noise=sensor.read_noise,
    noise_map=noise_map,
    corrections=corrections,
  )


def _mean(
  denoise: DenoiseFn,
  counts: Images,
  sensor: Sensor,
  keys: Keys,
  *,
  noise_map: bool,
  corrections: int,
) -> Images:
  restored = _posterior(
    denoise, counts, sensor, noise_map=noise_map, corrections=corrections
  )
  return restored(jnp.zeros_like(counts), jnp.full(len(counts), jnp.inf))


def _sample(
  denoise: DenoiseFn,
  counts: Images,
  sensor: Sensor,
  keys: Keys,
  *,
  noise_map: bool,
  grid: np.ndarray,
) -> Images:
  restored = _posterior(
    denoise,
    counts,
    sensor,
    noise_map=noise_map,
    corrections=posterior.CORRECTIONS,
  )
  start = sampling.initial_noise(keys, counts.shape[1:], sigma=grid[0])
  return sampling.sample(samplers.dpmpp_2m, restored, start, grid)


def _even(counts: Images, sensor: Sensor) -> Measurement:
  """Counts as values with the mean variance of each image."""
  data = sensor.measured(counts)
  variance = jnp.broadcast_to(1 / data.mean_precision(), data.values.shape)
  noise = GaussianNoise(variance=variance)
  return Measurement(operator=identity, values=data.values, noise=noise)


def _dps(
  denoise: DenoiseFn,
  counts: Images,
  sensor: Sensor,
  keys: Keys,
  *,
  grid: np.ndarray,
) -> Images:
  guided = published.dps(denoise, _even(counts, sensor), grid=grid)
  return _ancestral(guided, counts, keys, grid)


def _diffpir(
  denoise: DenoiseFn,
  counts: Images,
  sensor: Sensor,
  keys: Keys,
  *,
  grid: np.ndarray,
) -> Images:
  guided = published.diffpir(denoise, _even(counts, sensor))
  return _ancestral(guided, counts, keys, grid)


def _ancestral(
  denoise: DenoiseFn, like: Images, keys: Keys, grid: np.ndarray
) -> Images:
  """A sample by DDPM's steps, as both papers take."""
  start = sampling.initial_noise(keys, like.shape[1:], sigma=grid[0])
  return sampling.sample(samplers.ddpm, denoise, start, grid, keys=keys)
