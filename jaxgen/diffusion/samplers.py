r"""The samplers, each a `Sampler` that `sampling.sample` runs.

Deterministic ones follow the probability flow dx/dsigma = (x - D) / sigma
(Karras et al. 2022, eq. 3). For the stochastic ones note that with
tau = 1 / sigma^2 and y = tau x the reverse process is

    dy = D dtau + dW,      W a Brownian motion in tau,

for any data: the noise added from sigma = s to t has, in x, the variance
t^4 (1/t^2 - 1/s^2). DDPM's posterior step is this with D held constant.

Steps have the types of `sampling.StepFn`. Samplers with options are cached
functions: equal options give the same object, which jit compiles once.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from jaxgen.diffusion.few_steps import NEXT_LEVEL
from jaxgen.diffusion.sampling import Sampler
from jaxgen.typing import Array, DenoiseFn, Images


def _at(denoise: DenoiseFn, x: Images, sigma: Array) -> Images:
  return denoise(x, jnp.full(x.shape[:1], sigma, x.dtype))


def _euler(denoise, x, s, t, *, noise, memory):
  d = _at(denoise, x, s)
  return x + (t - s) * (x - d) / s, memory, d


euler = Sampler(step=_euler)
"""First order; DDIM with eta = 0 is the same."""


def _heun(denoise, x, s, t, *, noise, memory):
  d = _at(denoise, x, s)
  slope = (x - d) / s
  end = x + (t - s) * slope

  def correct(end):
    other = (end - _at(denoise, end, t)) / t
    return x + (t - s) * (slope + other) / 2

  return jax.lax.cond(t > 0, correct, lambda end: end, end), memory, d


heun = Sampler(step=_heun, calls=2)
"""Second order; the last step is Euler's (Karras et al. 2022, algorithm 1)."""


@functools.cache
def edm_stochastic(
  *,
  s_churn: float = 40.0,
  s_tmin: float = 0.05,
  s_tmax: float = 50.0,
  s_noise: float = 1.003,
) -> Sampler:
  """Heun steps with added noise (Karras et al. 2022, algorithm 2).

  Args:
    s_churn: each step raises sigma by a factor of
      1 + min(s_churn / steps, sqrt(2) - 1).
    s_tmin: lowest sigma at which noise is added.
    s_tmax: highest sigma at which noise is added.
    s_noise: standard deviation of the added noise.
  """

  def init(x, sigmas):
    return jnp.minimum(s_churn / (len(sigmas) - 1), 2**0.5 - 1)

  def step(denoise, x, s, t, *, noise, memory):
    gain = jnp.where((s >= s_tmin) & (s <= s_tmax), memory, 0.0)
    spread = s * jnp.sqrt(gain * (2 + gain))  # raises s to s (1 + gain)
    x = x + spread * s_noise * noise(0)
    return _heun(denoise, x, s * (1 + gain), t, noise=noise, memory=memory)

  return Sampler(step=step, calls=2, draws=1, init=init)


def _dpmpp_2m(denoise, x, s, t, *, noise, memory):
  s_prev, d_prev = memory
  d = _at(denoise, x, s)
  h_prev, h = jnp.log(s_prev / s), jnp.log(s / t)  # steps in log(1 / sigma)
  second = d + (d - d_prev) * h / (2 * h_prev)
  estimate = jnp.where(t == 0, d, second)
  return t / s * x + (1 - t / s) * estimate, (s, d), d


def _dpmpp_2m_init(x, sigmas):
  """The memory of an infinitely long step, which makes the first step first
  order."""
  return jnp.full((), jnp.inf, x.dtype), jnp.zeros_like(x)


dpmpp_2m = Sampler(step=_dpmpp_2m, init=_dpmpp_2m_init)
"""DPM-Solver++(2M): second order from the denoised images of two steps (Lu et
al. 2022, arXiv:2211.01095, algorithm 2); the first and last steps are first
order."""


def _posterior(x: Images, d: Images, *, s: Array, t: Array, noise: Images):
  """A sample of x at t given x at s and the clean image d."""
  ratio = (t / s) ** 2
  return ratio * x + (1 - ratio) * d + t * jnp.sqrt(1 - ratio) * noise


def _dpmpp_sde(denoise, x, s, t, *, noise, memory):
  middle = jnp.sqrt(s * t)
  noise_1, noise_2 = noise(0), noise(1)
  d = _at(denoise, x, s)

  def second(x):
    half = _posterior(x, d, s=s, t=middle, noise=noise_1)
    d_half = _at(denoise, half, middle)
    half = _posterior(x, d_half, s=s, t=middle, noise=noise_1)
    return _posterior(half, d_half, s=middle, t=t, noise=noise_2)

  return jax.lax.cond(t > 0, second, lambda x: d, x), memory, d


dpmpp_sde = Sampler(step=_dpmpp_sde, calls=2, draws=2)
"""DPM-Solver++ for the reverse SDE: the midpoint rule in log sigma (Lu et al.
2022, section 5) on the exact process above. Both halves of a step share one
Brownian path, which the order of convergence requires."""


@functools.cache
def ddim(*, eta: float = 0.0) -> Sampler:
  """DDIM (Song et al. 2021, arXiv:2010.02502, eq. 12 and 16) for any grid.

  Divided by sqrt(abar), the update is a flow step to below the next sigma, then
  added noise; with eta = 1 it is DDPM's posterior step.
  """

  def step(denoise, x, s, t, *, noise, memory):
    d = _at(denoise, x, s)
    fresh = eta * t * jnp.sqrt(jnp.maximum(s**2 - t**2, 0)) / s
    down = jnp.sqrt(jnp.maximum(t**2 - fresh**2, 0))
    x = d + down / s * (x - d)
    return x + fresh * noise(0) if eta else x, memory, d

  return Sampler(step=step, draws=1 if eta else 0)


def _ddpm(denoise, x, s, t, *, noise, memory):
  d = _at(denoise, x, s)
  return _posterior(x, d, s=s, t=t, noise=noise(0)), memory, d


ddpm = Sampler(step=_ddpm, draws=1)
"""DDPM's ancestral sampling with the posterior variance (Ho et al. 2020, eq. 6
and 7) on any grid; the original is `sigmas.ddpm(1000)`."""


def _to(denoise: DenoiseFn, x: Images, s: Array, t: Array) -> Images:
  """The answer of a few-step model that is told the level of a step's end."""
  level = jnp.full(x.shape[:1], t, x.dtype)
  return denoise(x, jnp.full(x.shape[:1], s, x.dtype), {NEXT_LEVEL: level})


def _consistency(denoise, x, s, t, *, noise, memory):
  d = _to(denoise, x, s, jnp.zeros_like(t))
  return d + t * noise(0), memory, d


consistency = Sampler(step=_consistency, draws=1)
"""Each step ends at a clean image, to which the noise of the next level is
added; of consistency functions (Song et al. 2023, arXiv:2303.01469, algorithm
1)."""


def _flow_map(denoise, x, s, t, *, noise, memory):
  d = _to(denoise, x, s, t)
  return x + (t - s) * (x - d) / s, memory, d


flow_map = Sampler(step=_flow_map)
"""Steps of any length by average velocities (Geng et al. 2025,
arXiv:2505.13447), see `few_steps`."""


SAMPLERS = {
  "euler": euler,
  "heun": heun,
  "edm_stochastic": edm_stochastic(),
  "dpmpp_2m": dpmpp_2m,
  "dpmpp_sde": dpmpp_sde,
  "ddim": ddim(),
  "ddpm": ddpm,
  "consistency": consistency,
  "flow_map": flow_map,
}
