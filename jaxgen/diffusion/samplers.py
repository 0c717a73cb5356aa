r"""Samplers: from noise to images along a falling grid of noise levels.

    sampler(denoise, x, sigmas, keys=None, trajectory=False) -> x

`x` is float32 `(b, h, w, c)`, drawn as sigmas[0] times standard normal noise;
`sigmas` `(steps + 1,)` falls and ends in 0 (`diffusion.sigmas`); `keys` `(b,)`
are one random key for each image, so that an image does not depend on its
batch; samplers that add noise need them. With `trajectory` the result is
`(x, seen)`: `seen` `(steps, b, h, w, c)` is the denoiser's clean image at each
step, for animations. Each sampler is one `lax.scan`; jit belongs to the caller.

Deterministic ones follow the probability flow dx/dsigma = (x - D) / sigma
(Karras et al. 2022, eq. 3). For the stochastic ones it is useful that with
tau = 1 / sigma^2 and y = tau x the reverse process is

    dy = D dtau + dW,      W a Brownian motion in tau,

whatever the data: noise of the interval [s, t] of sigma has, in x, the variance
t^4 (1/t^2 - 1/s^2). DDPM's posterior step is this with D held fixed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.typing import Array

Denoise = Callable[[Array, Array], Array]  # (x, sigma (b,)) -> clean images
Grid = Array | np.ndarray
Result = Any  # x, or (x, seen)


def start(keys: Array, shape: tuple[int, ...], sigma: float | Array) -> Array:
  """Noise at the top of a grid, `(b, *shape)`: a function of each key."""
  draw = lambda key: jax.random.normal(jax.random.fold_in(key, 2**31), shape)  # noqa: E731
  return sigma * jax.vmap(draw)(keys)


def euler(
  denoise: Denoise,
  x: Array,
  sigmas: Grid,
  *,
  keys: Array | None = None,
  trajectory: bool = False,
) -> Result:
  """First order, one denoiser call a step; DDIM with eta = 0 is the same."""

  def step(x, carry, s, t, i):
    d = _at(denoise, x, s)
    return x + (t - s) * (x - d) / s, carry, d

  return _walk(step, x, sigmas, trajectory)


def heun(
  denoise: Denoise,
  x: Array,
  sigmas: Grid,
  *,
  keys: Array | None = None,
  trajectory: bool = False,
) -> Result:
  """Second order, two calls a step but for the last, an Euler step: 2N - 1 in
  all (Karras et al. 2022, algorithm 1)."""

  def step(x, carry, s, t, i):
    return _heun_step(denoise, x, s, t, carry)

  return _walk(step, x, sigmas, trajectory)


def _heun_step(denoise: Denoise, x: Array, s: Array, t: Array, carry: Any):
  d = _at(denoise, x, s)
  slope = (x - d) / s
  end = x + (t - s) * slope

  def correct(end):
    other = (end - _at(denoise, end, t)) / t
    return x + (t - s) * (slope + other) / 2

  return jax.lax.cond(t > 0, correct, lambda end: end, end), carry, d


def edm_stochastic(
  denoise: Denoise,
  x: Array,
  sigmas: Grid,
  *,
  keys: Array,
  trajectory: bool = False,
  churn: float = 40.0,
  low: float = 0.05,
  high: float = 50.0,
  inflate: float = 1.003,
) -> Result:
  """Heun steps after a little fresh noise (Karras et al. 2022, algorithm 2).

  Args:
    denoise, x, sigmas, keys, trajectory: as for all samplers.
    churn: S_churn; noise rises by min(churn / steps, sqrt(2) - 1) a step.
    low: S_min, from which
    high: S_max, to which sigma it is added.
    inflate: S_noise, the standard deviation of the fresh noise.
  """
  rise = jnp.minimum(churn / (len(sigmas) - 1), 2**0.5 - 1)

  def step(x, carry, s, t, i):
    gain = jnp.where((s >= low) & (s <= high), rise, 0.0)
    spread = s * jnp.sqrt(gain * (2 + gain))  # to s (1 + gain)
    x = x + spread * inflate * _noise(keys, i, x)
    return _heun_step(denoise, x, s * (1 + gain), t, carry)

  return _walk(step, x, sigmas, trajectory)


def dpmpp_2m(
  denoise: Denoise,
  x: Array,
  sigmas: Grid,
  *,
  keys: Array | None = None,
  trajectory: bool = False,
) -> Result:
  """DPM-Solver++(2M): second order from one call a step and the call before
  (Lu et al. 2022, arXiv:2211.01095, algorithm 2); the first and the last step
  are of first order."""

  def step(x, carry, s, t, i):
    before, d_before = carry
    d = _at(denoise, x, s)
    h_before, h = jnp.log(before / s), jnp.log(s / t)  # of log(1 / sigma)
    second = d + (d - d_before) * h / (2 * h_before)
    plain = (i == 0) | (t == 0)
    estimate = jnp.where(plain, d, second)
    return t / s * x + (1 - t / s) * estimate, (s, d), d

  start = (2 * sigmas[0], jnp.zeros_like(x))
  return _walk(step, x, sigmas, trajectory, start)


def dpmpp_sde(
  denoise: Denoise,
  x: Array,
  sigmas: Grid,
  *,
  keys: Array,
  trajectory: bool = False,
) -> Result:
  """DPM-Solver++ for the reverse SDE, with two calls a step but for the last.

  The midpoint rule in log sigma (Lu et al. 2022, section 5) on the exact
  process of this module's docstring; both halves of a step share one Brownian
  path, as they must for the order of the rule to show.
  """

  def step(x, carry, s, t, i):
    middle = jnp.sqrt(s * t)
    one, two = (_noise(keys, 2 * i + k, x) for k in range(2))
    d = _at(denoise, x, s)

    def second(x):
      half = _jump(x, d, s, middle, one)
      rough = _at(denoise, half, middle)
      return _jump(_jump(x, rough, s, middle, one), rough, middle, t, two)

    return jax.lax.cond(t > 0, second, lambda x: d, x), carry, d

  return _walk(step, x, sigmas, trajectory)


def ddim(
  denoise: Denoise,
  x: Array,
  sigmas: Grid,
  *,
  keys: Array | None = None,
  trajectory: bool = False,
  eta: float = 0.0,
) -> Result:
  """DDIM (Song et al. 2021, arXiv:2010.02502, eq. 12 and 16) for any grid.

  Divided by sqrt(abar) the update is a step of the flow to a lower sigma, then
  noise up to the next one; with eta = 1 that is DDPM's posterior step.
  """
  if eta and keys is None:
    raise ValueError("ddim with eta > 0 adds noise: it needs keys.")

  def step(x, carry, s, t, i):
    d = _at(denoise, x, s)
    fresh = eta * t * jnp.sqrt(jnp.maximum(s**2 - t**2, 0)) / s
    down = jnp.sqrt(jnp.maximum(t**2 - fresh**2, 0))
    x = d + down / s * (x - d)
    if keys is not None and eta:
      x = x + fresh * _noise(keys, i, x)
    return x, carry, d

  return _walk(step, x, sigmas, trajectory)


def ddpm(
  denoise: Denoise,
  x: Array,
  sigmas: Grid,
  *,
  keys: Array,
  trajectory: bool = False,
) -> Result:
  """DDPM's ancestral sampling with the posterior variance (Ho et al. 2020, eq.
  6 and 7), on any grid; the original is `sigmas.ddpm(1000)`."""

  def step(x, carry, s, t, i):
    d = _at(denoise, x, s)
    return _jump(x, d, s, t, _noise(keys, i, x)), carry, d

  return _walk(step, x, sigmas, trajectory)


def _jump(x: Array, d: Array, s: Array, t: Array, noise: Array) -> Array:
  """The exact law of x at t given x at s, had the clean image been d."""
  ratio = (t / s) ** 2
  return ratio * x + (1 - ratio) * d + t * jnp.sqrt(1 - ratio) * noise


def _at(denoise: Denoise, x: Array, sigma: Array) -> Array:
  return denoise(x, jnp.full(x.shape[:1], sigma, x.dtype))


def _noise(keys: Array, i: Array, x: Array) -> Array:
  """Standard normal, a function of each image's key and of the step."""
  shape, fold = x.shape[1:], jax.random.fold_in
  return jax.vmap(lambda k: jax.random.normal(fold(k, i), shape, x.dtype))(keys)


def _walk(
  step: Callable, x: Array, sigmas: Grid, trajectory: bool, carry: Any = ()
) -> Result:
  """`step(x, carry, s, t, i) -> (x, carry, clean image)` down the grid."""
  x = jnp.asarray(x)
  sigmas = jnp.asarray(sigmas, x.dtype)

  def body(state, xs):
    x, carry, clean = step(*state, *xs)
    return (x, carry), clean if trajectory else None

  steps = (sigmas[:-1], sigmas[1:], jnp.arange(len(sigmas) - 1))
  (x, _), seen = jax.lax.scan(body, (x, carry), steps)
  return (x, seen) if trajectory else x


SAMPLERS = {
  f.__name__: f
  for f in (euler, heun, edm_stochastic, dpmpp_2m, dpmpp_sde, ddim, ddpm)
}


def calls(sampler: str, steps: int) -> int:
  """Calls of the denoiser that a sampler makes on a grid that ends in 0."""
  twice = sampler in ("heun", "edm_stochastic", "dpmpp_sde")
  return 2 * steps - 1 if twice else steps
