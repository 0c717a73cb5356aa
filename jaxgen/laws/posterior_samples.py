"""Laws of samples given photon counts, beside a posterior by quadrature."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.diffusion import analytic, samplers, sampling, sigmas
from jaxgen.laws.law import Law
from jaxgen.laws.photon_noise import READ, STD, exposure
from jaxgen.restoration import poisson_gaussian
from jaxgen.restoration.posterior import restore

PIXELS = analytic.gaussian(-0.2, STD)


def sample_moments(
  photons: float = 5.0, *, noise_map: bool = False
) -> tuple[float, float]:
  """Samples given counts of independent Gaussian pixels, beside the posterior
  by quadrature: the mean deviation of their means in posterior standard
  deviations, and the ratio of the standard deviations."""
  sensor, draws, side = exposure(photons), 32, 32
  truth_key, count_key, noise_key = jax.random.split(jax.random.key(0), 3)
  shape = (1, side, side, 1)
  truth = -0.2 + STD * jax.random.normal(truth_key, shape)
  rate = jnp.maximum(sensor["scale"] * truth + sensor["offset"], 0.0)
  counts = poisson_gaussian.simulate(count_key, rate, read_noise=READ)
  mean, spread = _quadrature(np.asarray(counts), sensor)
  denoise = restore(
    PIXELS,
    jnp.broadcast_to(counts, (draws, *shape[1:])),
    noise_map=noise_map,
    **sensor,
  )
  grid = sigmas.karras(36)
  keys = jax.random.split(noise_key, draws)
  start = sampling.initial_noise(keys, shape[1:], sigma=grid[0])
  run = functools.partial(sampling.sample, samplers.dpmpp_2m, denoise)
  samples = np.asarray(jax.jit(lambda x: run(x, grid))(start))
  bias = np.mean((samples.mean(0, keepdims=True) - mean) / spread)
  variance = samples.var(0, ddof=1).mean()
  return float(bias), float(np.sqrt(variance / np.mean(spread**2)))


def _quadrature(
  counts: np.ndarray, sensor: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
  """The exact posterior means and standard deviations of the pixels, whose
  rates are not below 0."""
  x = np.linspace(-0.2 - 6 * STD, -0.2 + 6 * STD, 601)
  rate = np.maximum(sensor["scale"] * x + sensor["offset"], 0.0)
  values = jnp.asarray(counts, jnp.float32).reshape(-1, 1)
  shape = (values.size, x.size)
  likelihood = poisson_gaussian.log_likelihood(
    jnp.broadcast_to(values, shape),
    jnp.broadcast_to(jnp.asarray(rate, jnp.float32)[None], shape),
    read_noise=READ,
  )
  log = np.asarray(likelihood, np.float64) - ((x + 0.2) / STD)[None] ** 2 / 2
  weight = np.exp(log - log.max(1, keepdims=True))
  weight /= weight.sum(1, keepdims=True)
  mean = (weight * x[None]).sum(1)
  variance = (weight * (x[None] - mean[:, None]) ** 2).sum(1)
  return mean.reshape(counts.shape), np.sqrt(variance).reshape(counts.shape)


def _moment(index: int, *, noise_map: bool) -> Callable[[], float]:
  return lambda: sample_moments(noise_map=noise_map)[index]


LAWS = (
  Law(
    name="samples given 5 photons: bias in posterior std",
    source="quadrature",
    expected=0,
    tolerance=0.08,
    measure=_moment(0, noise_map=False),
  ),
  Law(
    name="samples given 5 photons: ratio of standard deviations",
    source="quadrature",
    expected=1.005,
    tolerance=0.055,
    measure=_moment(1, noise_map=False),
  ),
  Law(
    name="samples given 5 photons, by noise maps: bias in posterior std",
    source="quadrature",
    expected=0,
    tolerance=0.08,
    measure=_moment(0, noise_map=True),
  ),
  Law(
    name="samples given 5 photons, by noise maps: ratio of std",
    source="quadrature",
    expected=1.005,
    tolerance=0.055,
    measure=_moment(1, noise_map=True),
  ),
)
