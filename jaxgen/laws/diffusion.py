"""Laws of denoisers, noise levels, samplers and guidance."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import rng
from jaxgen.diffusion import (
  analytic,
  edm,
  guidance,
  samplers,
  sampling,
  sigmas,
  vp,
)
from jaxgen.diffusion.edm import per_image
from jaxgen.diffusion.samplers import SAMPLERS
from jaxgen.laws.law import Law
from jaxgen.restoration import posterior
from jaxgen.typing import Array, Conditions

EDM = "Karras et al. 2022"
# covariance of rows of 16 pixels with a correlation of 0.75 per pixel
COVARIANCE = 0.25 * 0.75 ** np.abs(np.subtract.outer(range(16), range(16)))


def _scaling(name: str, sigma: float) -> Callable[[], float]:
  """A function that computes one of EDM's scalings."""
  return lambda: float(getattr(edm.scalings(jnp.array([sigma])), name)[0])


def _weight_deviation() -> float:
  """Largest deviation of weight * c_out^2 from 1."""
  levels = jnp.asarray(sigmas.karras(50)[:-1], jnp.float32)
  product = edm.weight(levels) * edm.scalings(levels).c_out ** 2
  return float(jnp.abs(product - 1).max())


def _order(name: str) -> Callable[[], float]:
  """A function that measures a sampler's order: log2 of the ratio of errors at
  16 and 32 steps, on Gaussian pixels."""

  def measure() -> float:
    x = jnp.linspace(-2, 2, 64).reshape(1, 8, 8, 1) * 20.0
    exact, errors = x * 0.5 / np.hypot(0.5, 20.0), []
    sample = functools.partial(
      sampling.sample, SAMPLERS[name], analytic.gaussian()
    )
    for steps in (16, 32):
      grid = sigmas.karras(steps, sigma_min=1e-3, sigma_max=20.0)
      end = jax.jit(lambda x, g=grid: sample(x, g))(x)
      errors.append(float(jnp.sqrt(jnp.mean((end - exact) ** 2))))
    return float(np.log2(errors[0] / errors[1]))

  return measure


def _ddpm_variance() -> float:
  """Variance of a DDPM step from sigma 2 to 1 with D = 0: (1 - 1/4) 1^2."""
  keys = jax.random.split(jax.random.key(0), 256)
  x, grid = jnp.zeros((256, 16, 16, 1)), np.array([2.0, 1.0])
  end = sampling.sample(
    samplers.ddpm, lambda x, sigma, cond=None: 0 * x, x, grid, keys=keys
  )
  return float(jnp.var(end))


def _ddim_difference() -> float:
  """Largest difference between samples of DDIM with eta 1 and of DDPM."""
  denoise, grid = analytic.mixture((-0.6, 0.6), 0.2), sigmas.ddpm(50)
  keys = jax.random.split(jax.random.key(0), 4)
  x = grid[0] * jax.random.normal(jax.random.key(1), (4, 8, 8, 1))
  ddim, ddpm = (
    sampling.sample(sampler, denoise, x, grid, keys=keys)
    for sampler in (samplers.ddim(eta=1.0), samplers.ddpm)
  )
  return float(jnp.abs(ddim - ddpm).max())


def _epsilon_difference() -> float:
  """Largest difference between a denoiser from an epsilon network and the exact
  one."""
  levels = jnp.asarray(vp.SIGMAS[[5, 200, 600, 990]], jnp.float32)
  x = jax.random.normal(jax.random.key(0), (4, 4, 4, 1)) * per_image(levels)
  exact = analytic.gaussian(0.0, 0.5)

  def epsilon(z: Array, t: Array, cond: Conditions) -> Array:
    noisy = z * per_image(jnp.sqrt(1 + levels**2))
    return (noisy - exact(noisy, levels)) / per_image(levels)

  denoised = vp.from_epsilon(epsilon)(x, levels)
  return float(jnp.abs(denoised - exact(x, levels)).max())


def _guidance_difference() -> float:
  """Largest difference between guidance with weight 1 and no guidance."""

  def denoise(x: Array, sigma: Array, cond: Conditions = None) -> Array:
    return x * 0.5 + per_image(cond["a"].astype(jnp.float32))

  x, sigma = jnp.ones((3, 4, 4, 1)), jnp.ones(3)
  given, missing = {"a": jnp.arange(3)}, {"a": jnp.full(3, -1)}
  guided = guidance.compose(denoise, weights=[1.0])(x, sigma, (missing, given))
  return float(jnp.abs(guided - denoise(x, sigma, given)).max())


def _batch_difference() -> float:
  """Largest difference between samples in a batch of 6 and a batch of 2."""
  denoise, grid = analytic.mixture((-0.6, 0.6), 0.2), sigmas.karras(8)
  keys = rng.per_sample(rng.stream(0, "law"), jnp.arange(6))
  x = 80 * jax.random.normal(jax.random.key(0), (6, 8, 8, 1))
  sample = functools.partial(
    sampling.sample, SAMPLERS["edm_stochastic"], denoise
  )
  two = sample(x[2:4], grid, keys=keys[2:4])
  return float(jnp.abs(sample(x, grid, keys=keys)[2:4] - two).max())


def inpainting_difference(sigma: float = 0.7) -> float:
  """Largest difference between inpainting and the exact posterior mean, for 16
  correlated Gaussian pixels of which 3 to 10 are known."""
  x, y = jax.random.normal(jax.random.key(0), (2, 3, 1, 16, 1))
  known = slice(3, 11)
  mask = jnp.zeros((3, 1, 16, 1), bool).at[:, :, known].set(True)
  levels = sigma * np.array([0.5, 1.0, 2.0])
  denoise = posterior.inpaint(
    analytic.correlated(COVARIANCE), y, mask, corrections=16, damping=1e-6
  )
  means = np.asarray(denoise(x, jnp.asarray(levels, jnp.float32)))[:, 0, :, 0]
  x, y = np.asarray(x)[:, 0, :, 0], np.asarray(y)[:, 0, :, 0]
  exact = [
    _posterior_mean(row, values[known], sigma=level, known=known)
    for row, values, level in zip(x, y, levels, strict=True)
  ]
  return float(np.abs(means - np.stack(exact)).max())


def _posterior_mean(
  x: np.ndarray, y: np.ndarray, *, sigma: float, known: slice
) -> np.ndarray:
  """The mean D + C M' (M C M')^-1 (y - M D) of a noisy row, with M the known
  pixels, D the denoised row and C its covariance."""
  gain = COVARIANCE @ np.linalg.inv(COVARIANCE + sigma**2 * np.eye(16))
  mean, c = gain @ x, sigma**2 * gain
  solved = np.linalg.solve(c[known, known], y - mean[known])
  return mean + c[:, known] @ solved


LAWS = (
  Law(
    name="c_skip at sigma 0.5",
    source=f"{EDM}, table 1",
    expected=0.5,
    tolerance=1e-6,
    measure=_scaling("c_skip", 0.5),
  ),
  Law(
    name="c_out at sigma 1",
    source=f"{EDM}, table 1",
    expected=0.447214,
    tolerance=1e-5,
    measure=_scaling("c_out", 1.0),
  ),
  Law(
    name="c_in at sigma 1",
    source=f"{EDM}, table 1",
    expected=0.894427,
    tolerance=1e-5,
    measure=_scaling("c_in", 1.0),
  ),
  Law(
    name="weight * c_out^2 - 1",
    source=f"{EDM}, section 5",
    expected=0,
    tolerance=1e-5,
    measure=_weight_deviation,
  ),
  Law(
    name="sigma 9 of 18 of the EDM grid",
    source=f"{EDM}, eq. 5",
    expected=3.25682,
    tolerance=1e-4,
    measure=lambda: float(sigmas.karras(18)[8]),
  ),
  Law(
    name="highest sigma of DDPM",
    source="Ho et al. 2020",
    expected=157.407,
    tolerance=0.01,
    measure=lambda: float(sigmas.ddpm()[0]),
  ),
  Law(
    name="order of Euler's method",
    source=f"{EDM}, section 3",
    expected=1,
    tolerance=0.1,
    measure=_order("euler"),
  ),
  Law(
    name="order of Heun's method",
    source=f"{EDM}, section 3",
    expected=2,
    tolerance=0.25,
    measure=_order("heun"),
  ),
  Law(
    name="order of DPM-Solver++(2M)",
    source="Lu et al. 2022",
    expected=2,
    tolerance=0.35,
    measure=_order("dpmpp_2m"),
  ),
  Law(
    name="variance of a DDPM step",
    source="Ho et al. 2020, eq. 7",
    expected=0.75,
    tolerance=0.02,
    measure=_ddpm_variance,
  ),
  Law(
    name="inpainting - exact posterior mean",
    source="arXiv:2405.13712",
    expected=0,
    tolerance=2e-3,
    measure=inpainting_difference,
  ),
  Law(
    name="DDIM with eta 1 - DDPM",
    source="Song et al. 2021, eq. 16",
    expected=0,
    tolerance=2e-4,
    measure=_ddim_difference,
  ),
  Law(
    name="epsilon denoiser - EDM denoiser",
    source="change of variables",
    expected=0,
    tolerance=2e-3,
    measure=_epsilon_difference,
  ),
  Law(
    name="guidance of weight 1 - no guidance",
    source="Ho and Salimans 2022",
    expected=0,
    tolerance=1e-6,
    measure=_guidance_difference,
  ),
  Law(
    name="samples in batches of 6 - samples in batches of 2",
    source="one key per image",
    expected=0,
    tolerance=1e-5,
    measure=_batch_difference,
  ),
)
