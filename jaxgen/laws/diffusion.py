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
from jaxgen.laws.law import law
from jaxgen.restoration import posterior
from jaxgen.typing import Array, Conditions

EDM = "Karras et al. 2022"
# Of rows of 16 pixels whose correlation falls off by a quarter a pixel.
COVARIANCE = 0.25 * 0.75 ** np.abs(np.subtract.outer(range(16), range(16)))


def _scaling(name: str, sigma: float) -> Callable[[], float]:
  return lambda: float(getattr(edm.scalings(jnp.array([sigma])), name)[0])


def _weights_off() -> float:
  levels = jnp.asarray(sigmas.karras(50)[:-1], jnp.float32)
  product = edm.weight(levels) * edm.scalings(levels).c_out ** 2
  return float(jnp.abs(product - 1).max())


def _order(name: str) -> Callable[[], float]:
  """log2 of the ratio of errors at 16 and 32 steps, on Gaussian pixels."""

  def measure() -> float:
    x = jnp.linspace(-2, 2, 64).reshape(1, 8, 8, 1) * 20.0
    exact, errors = x * 0.5 / np.hypot(0.5, 20.0), []
    walk = functools.partial(
      sampling.sample, SAMPLERS[name], analytic.gaussian()
    )
    for steps in (16, 32):
      grid = sigmas.karras(steps, sigma_min=1e-3, sigma_max=20.0)
      end = jax.jit(lambda x, g=grid: walk(x, g))(x)
      errors.append(float(jnp.sqrt(jnp.mean((end - exact) ** 2))))
    return float(np.log2(errors[0] / errors[1]))

  return measure


def _posterior_variance() -> float:
  """Variance of a DDPM step from sigma 2 to 1 with D = 0: (1 - 1/4) 1^2."""
  keys = jax.random.split(jax.random.key(0), 256)
  x, grid = jnp.zeros((256, 16, 16, 1)), np.array([2.0, 1.0])
  end = sampling.sample(
    samplers.ddpm, lambda x, sigma, cond=None: 0 * x, x, grid, keys=keys
  )
  return float(jnp.var(end))


def _ddim_is_ddpm() -> float:
  denoise, grid = analytic.mixture((-0.6, 0.6), 0.2), sigmas.ddpm(50)
  keys = jax.random.split(jax.random.key(0), 4)
  x = grid[0] * jax.random.normal(jax.random.key(1), (4, 8, 8, 1))
  one, two = (
    sampling.sample(sampler, denoise, x, grid, keys=keys)
    for sampler in (samplers.ddim(eta=1.0), samplers.ddpm)
  )
  return float(jnp.abs(one - two).max())


def _epsilon_is_edm() -> float:
  levels = jnp.asarray(vp.SIGMAS[[5, 200, 600, 990]], jnp.float32)
  x = jax.random.normal(jax.random.key(0), (4, 4, 4, 1)) * per_image(levels)
  exact = analytic.gaussian(0.0, 0.5)

  def epsilon(z, t, cond):
    noisy = z * per_image(jnp.sqrt(1 + levels**2))
    return (noisy - exact(noisy, levels)) / per_image(levels)

  return float(
    jnp.abs(vp.from_epsilon(epsilon)(x, levels) - exact(x, levels)).max()
  )


def _guidance_of_one() -> float:
  def denoise(x: Array, sigma: Array, cond: Conditions = None) -> Array:
    return x * 0.5 + per_image(cond["a"].astype(jnp.float32))

  x, sigma = jnp.ones((3, 4, 4, 1)), jnp.ones(3)
  asked, nothing = {"a": jnp.arange(3)}, {"a": jnp.full(3, -1)}
  guided = guidance.compose(denoise, weights=[1.0])(x, sigma, (nothing, asked))
  return float(jnp.abs(guided - denoise(x, sigma, asked)).max())


def _sample_depends_on_batch() -> float:
  denoise, grid = analytic.mixture((-0.6, 0.6), 0.2), sigmas.karras(8)
  keys = rng.per_sample(rng.stream(0, "law"), jnp.arange(6))
  x = 80 * jax.random.normal(jax.random.key(0), (6, 8, 8, 1))
  walk = functools.partial(sampling.sample, SAMPLERS["edm_stochastic"], denoise)
  part = walk(x[2:4], grid, keys=keys[2:4])
  return float(jnp.abs(walk(x, grid, keys=keys)[2:4] - part).max())


def posterior_off(sigma: float = 0.7) -> float:
  """Largest distance of what is filled in, with pixels 3 to 10 of 16 known, to
  D + C M' (M C M')^-1 (y - M D), of correlated Gaussian pixels."""
  s = COVARIANCE
  x, known = jax.random.normal(jax.random.key(0), (2, 3, 1, 16, 1))
  mask = jnp.zeros((3, 1, 16, 1), bool).at[:, :, 3:11].set(True)
  levels = sigma * np.array([0.5, 1.0, 2.0])
  exact = analytic.correlated(s)
  answer = posterior.inpaint(exact, known, mask, corrections=16, damping=1e-6)
  found, off, m = answer(x, jnp.asarray(levels, jnp.float32)), [], np.s_[3:11]
  for i, level in enumerate(levels):
    share = s @ np.linalg.inv(s + level**2 * np.eye(16))
    mean, c = share @ np.asarray(x[i, 0, :, 0]), level**2 * share
    rest = np.asarray(known[i, 0, m, 0]) - mean[m]
    want = mean + c[:, m] @ np.linalg.solve(c[m, m], rest)
    off.append(np.abs(np.asarray(found[i, 0, :, 0]) - want).max())
  return float(max(off))


LAWS = (
  law(
    "c_skip at sigma 0.5", f"{EDM}, table 1", 0.5, 1e-6, _scaling("c_skip", 0.5)
  ),
  law(
    "c_out at sigma 1",
    f"{EDM}, table 1",
    0.447214,
    1e-5,
    _scaling("c_out", 1.0),
  ),
  law(
    "c_in at sigma 1", f"{EDM}, table 1", 0.894427, 1e-5, _scaling("c_in", 1.0)
  ),
  law("weight * c_out^2 - 1", f"{EDM}, section 5", 0, 1e-5, _weights_off),
  law(
    "step 9 of 18 of the grid",
    f"{EDM}, eq. 5",
    3.25682,
    1e-4,
    lambda: float(sigmas.karras(18)[8]),
  ),
  law(
    "highest sigma of DDPM",
    "Ho et al. 2020",
    157.407,
    0.01,
    lambda: float(sigmas.ddpm()[0]),
  ),
  law("order of Euler's method", f"{EDM}, section 3", 1, 0.1, _order("euler")),
  law("order of Heun's method", f"{EDM}, section 3", 2, 0.25, _order("heun")),
  law(
    "order of DPM-Solver++(2M)", "Lu et al. 2022", 2, 0.35, _order("dpmpp_2m")
  ),
  law(
    "variance of a DDPM step",
    "Ho et al. 2020, eq. 7",
    0.75,
    0.02,
    _posterior_variance,
  ),
  law(
    "what is filled in, off its mean",
    "arXiv:2405.13712",
    0,
    2e-3,
    posterior_off,
  ),
  law(
    "DDIM with eta 1 - DDPM", "Song et al. 2021, eq. 16", 0, 2e-4, _ddim_is_ddpm
  ),
  law(
    "epsilon - EDM denoiser", "change of variables", 0, 2e-3, _epsilon_is_edm
  ),
  law(
    "guidance of weight 1", "Ho and Salimans 2022", 0, 1e-6, _guidance_of_one
  ),
  law(
    "sample in batches of 2 and 6",
    "keys for each image",
    0,
    1e-5,
    _sample_depends_on_batch,
  ),
)
