"""DDPM's discrete, variance-preserving process as a function of sigma.

DDPM (Ho et al. 2020, arXiv:2006.11239) scales the image down as it adds noise,

    z_t = sqrt(abar_t) y + sqrt(1 - abar_t) n,   abar_t = prod (1 - beta_s),

and x = z_t / sqrt(abar_t) = y + sigma n with sigma^2 = (1 - abar_t) / abar_t is
the process of `edm`. So a network trained to predict n (epsilon) or v (Salimans
and Ho 2022, arXiv:2202.00512) becomes a denoiser by a change of variables,
usable by every sampler.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgen.diffusion.edm import per_image
from jaxgen.typing import Array, Conditions, DenoiseFn, Images, Sigmas

STEPS = 1000
BETAS = np.linspace(1e-4, 0.02, STEPS)  # linear
ABAR = np.cumprod(1 - BETAS)
SIGMAS = np.sqrt((1 - ABAR) / ABAR)  # increasing: SIGMAS[t], t = 0 ... 999

Network = Callable[[Images, Sigmas, Conditions], Images]  # z, float t, cond


def time(sigma: Float[Array, "*s"]) -> Float[Array, "*s"]:
  """The time in [0, 999] of each sigma, by linear interpolation in log
  sigma."""
  return jnp.interp(
    jnp.log(sigma),
    jnp.asarray(np.log(SIGMAS), jnp.float32),
    jnp.arange(STEPS, dtype=jnp.float32),
  )


def from_epsilon(network: Network) -> DenoiseFn:
  """A denoiser from a network that predicts the noise n: y = x - sigma n."""

  def denoise(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    z = x / per_image(jnp.sqrt(1 + sigma**2))
    return x - per_image(sigma) * network(z, time(sigma), cond)

  return denoise


def from_v(network: Network) -> DenoiseFn:
  """A denoiser from a network that predicts v = sqrt(abar) n - sqrt(1-abar) y:
  y = sqrt(abar) z - sqrt(1 - abar) v."""

  def denoise(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    root = jnp.sqrt(1 + sigma**2)  # 1 / sqrt(abar)
    z = x / per_image(root)
    v = network(z, time(sigma), cond)
    return z / per_image(root) - per_image(sigma / root) * v

  return denoise
