"""Laws of the posterior mean of photon counts, on images whose mean is
known."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgen.diffusion import analytic
from jaxgen.laws.law import Law
from jaxgen.restoration.posterior import restore

SIDE, STD, READ = 16, 0.3, 1.0
DISTANCE = np.abs(np.subtract.outer(range(SIDE), range(SIDE)))
COVARIANCE = STD**2 * (0.9 * np.exp(-DISTANCE / 3) + 0.1 * np.eye(SIDE))
LEVELS = np.array([0.02, 0.1, 0.5, 2.0, 50.0])  # sigma
FIELD = analytic.correlated(COVARIANCE)


def exposure(photons: float) -> dict[str, Any]:
  """A sensor with a background of 1 electron."""
  return {
    "scale": photons / 2,
    "offset": photons / 2 + 1,
    "read_noise": READ,
  }


def fields(num: int, seed: int = 0) -> np.ndarray:
  """Random images of one row from the field, `(num, 1, SIDE, 1)`."""
  draws = np.random.default_rng(seed).normal(size=(num, SIDE))
  return (draws @ np.linalg.cholesky(COVARIANCE).T)[:, None, :, None]


def _error(
  photons: float, variance: np.ndarray, *, corrections: int
) -> np.ndarray:
  """Deviations from the exact posterior mean of fields with known variances of
  the counts, in posterior standard deviations, over `LEVELS`."""
  rng, sensor = np.random.default_rng(1), exposure(photons)
  truth, shape = fields(len(LEVELS)), (len(LEVELS), 1, SIDE, 1)
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
  rate = exposure(photons)["scale"] * fields(len(LEVELS), 2)
  rate = np.maximum(rate + exposure(photons)["offset"], 0.05)
  found = _error(photons, rate + READ**2, corrections=corrections)
  return float(np.abs(found).max())


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
)
