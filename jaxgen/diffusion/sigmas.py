"""Noise levels: grids for samplers, and random levels for training.

A grid is `(steps + 1,)`, decreasing from sigma_max to 0. Grids are float64
NumPy arrays: constants of a compiled program, cast there to the images' type.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Key

from jaxgen.diffusion import vp
from jaxgen.typing import Array

SIGMA_MIN, SIGMA_MAX, RHO = 0.002, 80.0, 7.0


def karras(
  steps: int,
  *,
  sigma_min: float = SIGMA_MIN,
  sigma_max: float = SIGMA_MAX,
  rho: float = RHO,
) -> Float[np.ndarray, " {steps+1}"]:
  """Equal steps of sigma^(1/rho), then 0 (Karras et al. 2022, eq. 5)."""
  low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
  return _ending_in_zero(np.linspace(high, low, steps) ** rho)


def log_uniform(
  steps: int, *, sigma_min: float = SIGMA_MIN, sigma_max: float = SIGMA_MAX
) -> Float[np.ndarray, " {steps+1}"]:
  """Equal steps of log sigma, then 0: karras as rho goes to infinity."""
  return _ending_in_zero(np.geomspace(sigma_max, sigma_min, steps))


def ddpm(steps: int = vp.STEPS) -> Float[np.ndarray, " {steps+1}"]:
  """`steps` of DDPM's noise levels, evenly spaced in time and decreasing, then
  0 (Ho et al. 2020; spacing as in DDIM, Song et al. 2021).

  The highest level of the linear schedule of 1000 steps is about 157.
  """
  if not 1 <= steps <= vp.STEPS:
    raise ValueError(f"steps: expected 1 to {vp.STEPS}, got {steps}")
  times = np.linspace(vp.STEPS - 1, 0, steps).round().astype(int)
  return _ending_in_zero(vp.SIGMAS[times])


def _ending_in_zero(sigmas: np.ndarray) -> np.ndarray:
  return np.append(sigmas, 0.0)


def draw_log_normal(
  key: Key[Array, ""], num: int, *, mean: float = -1.2, std: float = 1.2
) -> Float[Array, " {num}"]:
  """Training levels `(num,)`: log sigma is normal (Karras et al., table 1)."""
  return jnp.exp(mean + std * jax.random.normal(key, (num,)))


def draw_log_uniform(
  key: Key[Array, ""],
  num: int,
  *,
  sigma_min: float = SIGMA_MIN,
  sigma_max: float = SIGMA_MAX,
) -> Float[Array, " {num}"]:
  """Training levels `(num,)`: log sigma is uniform."""
  low, high = np.log(sigma_min), np.log(sigma_max)
  return jnp.exp(jax.random.uniform(key, (num,), minval=low, maxval=high))
