"""Laws of the restoration of photon counts."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.diffusion import analytic, samplers, sampling, sigmas
from jaxgen.diffusion.edm import per_image
from jaxgen.diffusion.tiling import windowed
from jaxgen.laws.law import Law
from jaxgen.restoration import poisson_gaussian, residuals
from jaxgen.restoration.posterior import restore
from jaxgen.typing import Array, Conditions, DenoiseFn

SIDE, STD, READ = 16, 0.3, 1.0
DISTANCE = np.abs(np.subtract.outer(range(SIDE), range(SIDE)))
COVARIANCE = STD**2 * (0.9 * np.exp(-DISTANCE / 3) + 0.1 * np.eye(SIDE))
LEVELS = np.array([0.02, 0.1, 0.5, 2.0, 50.0])  # sigma
FIELD = analytic.correlated(COVARIANCE)
PIXELS = analytic.gaussian(-0.2, STD)


def _sensor(photons: float) -> dict[str, Any]:
  """A sensor with a background of 1 electron."""
  return {
    "scale": photons / 2,
    "offset": photons / 2 + 1,
    "read_noise": READ,
  }


def _fields(num: int, seed: int = 0) -> np.ndarray:
  """Random images of one row from the field, `(num, 1, SIDE, 1)`."""
  draws = np.random.default_rng(seed).normal(size=(num, SIDE))
  return (draws @ np.linalg.cholesky(COVARIANCE).T)[:, None, :, None]


def _error(
  photons: float, variance: np.ndarray, *, corrections: int
) -> np.ndarray:
  """Deviations from the exact posterior mean of fields with known variances of
  the counts, in posterior standard deviations, over `LEVELS`."""
  rng, sensor = np.random.default_rng(1), _sensor(photons)
  truth, shape = _fields(len(LEVELS)), (len(LEVELS), 1, SIDE, 1)
  x = truth + LEVELS[:, None, None, None] * rng.normal(size=shape)
  rate = sensor["scale"] * truth + sensor["offset"]
  counts = rate + np.sqrt(variance) * rng.normal(size=shape)
  denoise = restore(
    FIELD,
    jnp.asarray(counts, jnp.float32),
    variance=variance,
    corrections=corrections,
    **sensor,
  )
  found = denoise(jnp.asarray(x, jnp.float32), jnp.asarray(LEVELS, jnp.float32))
  u = (counts - sensor["offset"]) / sensor["scale"]
  p = np.broadcast_to(sensor["scale"] ** 2 / variance, shape)
  errors = []
  for i, level in enumerate(LEVELS):
    own = level**-2
    spread = np.linalg.inv(
      np.linalg.inv(COVARIANCE) + np.diag(own + p[i, 0, :, 0])
    )
    exact = spread @ (own * x[i] + p[i] * u[i])[0, :, 0]
    error = np.asarray(found)[i, 0, :, 0] - exact
    errors.append(error / np.sqrt(np.diag(spread)))
  return np.array(errors)


def even_noise_error(photons: float = 30.0, corrections: int = 0) -> float:
  """Largest deviation from the exact posterior mean, in posterior standard
  deviations, at noise that is even."""
  variance = np.full((1, 1, 1, 1), photons / 2 + 1 + READ**2)
  found = _error(photons, variance, corrections=corrections)
  return float(np.abs(found).max())


def even_noise_change(photons: float = 30.0) -> float:
  """What 4 corrections change at noise that is even."""
  variance = np.full((1, 1, 1, 1), photons / 2 + 1 + READ**2)
  none, four = (_error(photons, variance, corrections=k) for k in (0, 4))
  return float(np.abs(none - four).max())


def uneven_noise_error(photons: float = 100.0, corrections: int = 4) -> float:
  """The same as `even_noise_error` at the variances of another field."""
  rate = _sensor(photons)["scale"] * _fields(len(LEVELS), 2)
  rate = np.maximum(rate + _sensor(photons)["offset"], 0.05)
  found = _error(photons, rate + READ**2, corrections=corrections)
  return float(np.abs(found).max())


def sample_moments(
  photons: float = 5.0, *, noise_map: bool = False
) -> tuple[float, float]:
  """Samples given counts of independent Gaussian pixels, beside the posterior
  by quadrature: the mean deviation of their means in posterior standard
  deviations, and the ratio of the standard deviations."""
  sensor, draws, side = _sensor(photons), 32, 32
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


def wrong_off_its_noise(strength: float = 1.0) -> DenoiseFn:
  """The exact denoiser plus an error that grows as the noise of an image
  departs from what the denoiser is told."""
  variances = jnp.asarray(np.linalg.eigvalsh(COVARIANCE), jnp.float32)

  def denoise(x: Array, sigma: Array, cond: Conditions = None) -> Array:
    clean, level = FIELD(x, sigma), per_image(sigma)
    removed = jnp.mean((x - clean) ** 2, (1, 2, 3))
    told = sigma[:, None] ** 2
    expected = jnp.mean(told**2 / (variances[None] + told), 1)
    off = removed / expected - 1
    return clean + strength * level * per_image(off)

  return denoise


def lost_decibels(photons: float = 5.0, *, maximum: bool = False) -> float:
  """What `restore` loses against one call at the mean noise, in dB, of a
  denoiser that is wrong off its noise level, by the worst number of
  corrections up to 2; `maximum`: one call told the largest noise instead."""
  sensor, num = _sensor(photons), 16
  fields = _fields(num * SIDE).reshape(num, SIDE, SIDE, 1)
  truth = jnp.asarray(fields, jnp.float32)
  rate = jnp.maximum(sensor["scale"] * truth + sensor["offset"], 0.05)
  counts = poisson_gaussian.simulate(jax.random.key(0), rate, read_noise=READ)
  denoise = wrong_off_its_noise()
  u = (counts - sensor["offset"]) / sensor["scale"]
  variance = (rate + READ**2).reshape(num, -1) / sensor["scale"] ** 2
  error = lambda x: float(jnp.mean((x - truth) ** 2))  # noqa: E731
  single = error(denoise(u, jnp.sqrt(variance.mean(1))))
  if maximum:
    worst = error(denoise(u, jnp.sqrt(variance.max(1))))
  else:
    nothing = jnp.full(num, jnp.inf)
    ways = [
      restore(denoise, counts, corrections=k, **sensor) for k in (0, 1, 2)
    ]
    worst = max(error(way(0 * u, nothing)) for way in ways)
  return float(10 * np.log10(worst / single))


def residual_growth() -> float:
  """Largest growth of a residual from one step to the next, relative to its
  start, of systems that are not symmetric."""
  matrix = jax.random.normal(jax.random.key(0), (8, 12, 12)) / 3
  matrix = matrix + jnp.eye(12)[None]
  right = jax.random.normal(jax.random.key(1), (8, 12))
  images = jnp.zeros((8, 1, 12, 1))

  def apply(x: Array) -> tuple[Array, Array]:
    return x[:, None, :, None], jnp.einsum("bij,bj->bi", matrix, x)

  norms = [
    jnp.linalg.norm(
      residuals.solve(apply, right, steps=k, like=images)[1], axis=1
    )
    for k in range(9)
  ]
  return float(jnp.diff(jnp.stack(norms), axis=0).max() / norms[0].max())


def tile_difference() -> float:
  """Largest difference between a canvas of one tile and the tile."""
  counts = jnp.asarray(np.random.default_rng(0).poisson(9.0, (2, 16, 16, 1)))
  counts = counts.astype(jnp.float32)
  x = jax.random.normal(jax.random.key(0), counts.shape)
  tiles = windowed(FIELD, side=16, overlap=4)
  tile, canvas = (
    restore(denoise, counts, **_sensor(20.0))(x, jnp.ones(2))
    for denoise in (FIELD, tiles)
  )
  return float(jnp.abs(tile - canvas).max())


def _moment(index: int, *, noise_map: bool) -> Callable[[], float]:
  return lambda: sample_moments(noise_map=noise_map)[index]


LAWS = (
  Law(
    name="even photon noise, no correction: deviation in posterior std",
    source="two Gaussian observations are one",
    expected=0,
    tolerance=0.01,
    measure=even_noise_error,
  ),
  Law(
    name="even photon noise: 4 corrections - none, in posterior std",
    source="two Gaussian observations are one",
    expected=0,
    tolerance=1e-3,
    measure=even_noise_change,
  ),
  Law(
    name="uneven photon noise, 4 corrections: deviation in posterior std",
    source="Gaussian posterior mean",
    expected=0,
    tolerance=0.05,
    measure=uneven_noise_error,
  ),
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
  Law(
    name="growth of residuals",
    source="Eisenstat et al. 1983",
    expected=0,
    tolerance=1e-5,
    measure=lambda: max(residual_growth(), 0.0),
  ),
  Law(
    name="restored canvas of one tile - restored tile",
    source="weights of windows sum to 1",
    expected=0,
    tolerance=1e-5,
    measure=tile_difference,
  ),
  Law(
    name="decibels lost by a denoiser that is wrong off its noise level",
    source="one call at the mean noise",
    expected=0,
    tolerance=1,
    measure=lambda: max(lost_decibels(), 0.0),
  ),
)
