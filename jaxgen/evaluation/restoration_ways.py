"""Images from counts by a denoiser, in the ways that an evaluation compares.

Every way takes a denoiser, counts, their sensor and a key of each image.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from jaxgen.diffusion import samplers, sampling
from jaxgen.evaluation.prior import Keys
from jaxgen.evaluation.sensors import Sensor
from jaxgen.restoration import posterior, published
from jaxgen.restoration.noise import GaussianNoise
from jaxgen.restoration.operators import Measurement, identity
from jaxgen.typing import DenoiseFn, Images


def mean(
  denoise: DenoiseFn,
  counts: Images,
  sensor: Sensor,
  keys: Keys,
  *,
  noise_map: bool,
  corrections: int,
) -> Images:
  """The answer to the counts alone, without sampling."""
  restored = _posterior(
    denoise, counts, sensor, noise_map=noise_map, corrections=corrections
  )
  return restored(jnp.zeros_like(counts), jnp.full(len(counts), jnp.inf))


def sample(
  denoise: DenoiseFn,
  counts: Images,
  sensor: Sensor,
  keys: Keys,
  *,
  noise_map: bool,
  grid: np.ndarray,
) -> Images:
  """A sample of the posterior."""
  restored = _posterior(
    denoise,
    counts,
    sensor,
    noise_map=noise_map,
    corrections=posterior.CORRECTIONS,
  )
  start = sampling.initial_noise(keys, counts.shape[1:], sigma=grid[0])
  return sampling.sample(samplers.dpmpp_2m, restored, start, grid)


def dps(
  denoise: DenoiseFn,
  counts: Images,
  sensor: Sensor,
  keys: Keys,
  *,
  grid: np.ndarray,
) -> Images:
  """A sample by DPS."""
  guided = published.dps(denoise, _even(counts, sensor), grid=grid)
  return _ancestral(guided, counts, keys, grid)


def diffpir(
  denoise: DenoiseFn,
  counts: Images,
  sensor: Sensor,
  keys: Keys,
  *,
  grid: np.ndarray,
) -> Images:
  """A sample by DiffPIR."""
  guided = published.diffpir(denoise, _even(counts, sensor))
  return _ancestral(guided, counts, keys, grid)


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


def _even(counts: Images, sensor: Sensor) -> Measurement:
  """Counts as values with the mean variance of each image."""
  data = sensor.measured(counts)
  variance = jnp.broadcast_to(1 / data.mean_precision(), data.values.shape)
  noise = GaussianNoise(variance=variance)
  return Measurement(operator=identity, values=data.values, noise=noise)


def _ancestral(
  denoise: DenoiseFn, like: Images, keys: Keys, grid: np.ndarray
) -> Images:
  """A sample by DDPM's steps, as both papers take."""
  start = sampling.initial_noise(keys, like.shape[1:], sigma=grid[0])
  return sampling.sample(samplers.ddpm, denoise, start, grid, keys=keys)
