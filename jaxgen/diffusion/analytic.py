"""Data whose denoiser, and whose probability flow, are known in closed form.

What a network would learn on them is written down here, so that samplers,
guidance and editing can be checked to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgen.diffusion.edm import per_image
from jaxgen.typing import Conditions, DenoiseFn, Images, Sigmas


def gaussian(mean: float = 0.0, std: float = 0.5) -> DenoiseFn:
  """The denoiser of independent pixels N(mean, std^2):
  D = mean + std^2 / (std^2 + sigma^2) (x - mean).

  The flow is linear: x - mean shrinks as sqrt(std^2 + sigma^2).
  """

  def denoise(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    share = std**2 / (std**2 + per_image(sigma) ** 2)
    return mean + share * (x - mean)

  return denoise


def correlated(covariance: Float[np.ndarray, "w w"]) -> DenoiseFn:
  """The denoiser of independent rows of w pixels N(0, S), S `covariance`
  `(w, w)`: D = S (S + sigma^2 I)^-1 x."""
  values, vectors = np.linalg.eigh(np.asarray(covariance, np.float64))
  axes = jnp.asarray(vectors, jnp.float32)

  def denoise(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    level = per_image(sigma) ** 2
    spread = jnp.asarray(values, jnp.float32)[None, None, :, None]
    inside = jnp.einsum("ji,bhjc->bhic", axes, x)
    return jnp.einsum("ij,bhjc->bhic", axes, spread / (spread + level) * inside)

  return denoise


def mixture(
  means: Sequence[float], std: float, weights: Sequence[float] | None = None
) -> DenoiseFn:
  """The denoiser of independent pixels from a mixture of N(means[k], std^2):
  the components' denoisers, weighted by their posterior probabilities."""
  last = (1, 1, 1, 1, len(means))
  centers = jnp.asarray(means).reshape(last)
  prior = jnp.log(jnp.asarray(weights or [1 / len(means)] * len(means)))
  prior = prior.reshape(last)

  def denoise(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    total = (std**2 + per_image(sigma) ** 2)[..., None]
    off = x[..., None] - centers
    belief = jax.nn.softmax(prior - off**2 / (2 * total), axis=-1)
    return jnp.sum(belief * (centers + std**2 / total * off), axis=-1)

  return denoise


def mixture_flow(
  x: Float[np.ndarray, "*s"],
  sigma: float,
  *,
  means: Sequence[float],
  std: float,
) -> Float[np.ndarray, "*s"]:
  """Ends of the probability flow of an even mixture, from x at `sigma` to 0.

  A flow in one dimension keeps the order of points, so that F_0(end) =
  F_sigma(x) with F the distribution functions; solved by bisection, float64.
  """
  from scipy.special import ndtr

  def below(x: np.ndarray, sigma: float) -> np.ndarray:
    spread = np.hypot(std, sigma)
    return np.mean([ndtr((x - m) / spread) for m in means], axis=0)

  target = below(np.asarray(x, np.float64), sigma)
  low = np.full(target.shape, min(means) - 10 * std)
  high = np.full(target.shape, max(means) + 10 * std)
  for _ in range(60):
    middle = (low + high) / 2
    less = below(middle, 0.0) < target
    low, high = np.where(less, middle, low), np.where(less, high, middle)
  return (low + high) / 2
