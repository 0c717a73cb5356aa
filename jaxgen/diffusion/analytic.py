"""Denoisers and probability flows of distributions with a closed form.

They are the optimum of a trained network, so that samplers, guidance and
editing can be checked to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgen.diffusion.edm import per_image
from jaxgen.typing import Array, Conditions, DenoiseFn, Images, Sigmas


def gaussian(mean: float = 0.0, std: float = 0.5) -> DenoiseFn:
  """The denoiser of independent pixels N(mean, std^2):
  D = mean + std^2 / (std^2 + sigma^2) (x - mean).

  The flow is linear: x - mean shrinks as sqrt(std^2 + sigma^2).
  """

  def denoise(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    gain = std**2 / (std**2 + per_image(sigma) ** 2)
    return mean + gain * (x - mean)

  return denoise


def correlated(covariance: Float[np.ndarray, "w w"]) -> DenoiseFn:
  """The denoiser of independent rows of w pixels N(0, S) with S = `covariance`:
  D = S (S + sigma^2 I)^-1 x."""
  values, vectors = np.linalg.eigh(np.asarray(covariance, np.float64))
  axes = jnp.asarray(vectors, jnp.float32)
  variance = jnp.asarray(values, jnp.float32)[None, None, :, None]

  def denoise(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    gain = variance / (variance + per_image(sigma) ** 2)
    coordinates = jnp.einsum("ji,bhjc->bhic", axes, x)
    return jnp.einsum("ij,bhjc->bhic", axes, gain * coordinates)

  return denoise


def principal_axes(
  center: Float[Array, " d"],
  axes: Float[Array, "r d"],
  *,
  variances: Float[Array, " r"],
  rest: float,
) -> DenoiseFn:
  """The denoiser of images N(center, C), flat: C has the orthonormal `axes`
  with `variances`, and the variance `rest` in all other directions."""

  def denoise(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    noise = sigma[:, None] ** 2
    offset = x.reshape(len(x), -1) - center[None]
    other = rest / (rest + noise)
    gain = variances[None] / (variances[None] + noise) - other
    mean = center[None] + other * offset + (gain * (offset @ axes.T)) @ axes
    return mean.reshape(x.shape)

  return denoise


def mixture(
  means: Sequence[float], std: float, weights: Sequence[float] | None = None
) -> DenoiseFn:
  """The denoiser of independent pixels from a mixture of N(means[k], std^2):
  the components' denoisers, weighted by their posterior probabilities."""
  shape = (1, 1, 1, 1, len(means))
  centers = jnp.asarray(means).reshape(shape)
  probabilities = jnp.asarray(weights or [1 / len(means)] * len(means))
  log_prior = jnp.log(probabilities).reshape(shape)

  def denoise(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    variance = (std**2 + per_image(sigma) ** 2)[..., None]
    offset = x[..., None] - centers
    logits = log_prior - offset**2 / (2 * variance)
    posterior = jax.nn.softmax(logits, axis=-1)
    denoised = centers + std**2 / variance * offset
    return jnp.sum(posterior * denoised, axis=-1)

  return denoise


def mixture_flow(
  x: Float[np.ndarray, "*s"],
  sigma: float,
  *,
  means: Sequence[float],
  std: float,
) -> Float[np.ndarray, "*s"]:
  """Endpoints of the probability flow of a mixture with equal weights, from x
  at `sigma` to 0.

  A one-dimensional flow preserves order, so that F_0(end) = F_sigma(x) for the
  distribution functions F; solved by bisection in float64.
  """
  from scipy.special import ndtr

  def cdf(x: np.ndarray, sigma: float) -> np.ndarray:
    spread = np.hypot(std, sigma)
    return np.mean([ndtr((x - m) / spread) for m in means], axis=0)

  target = cdf(np.asarray(x, np.float64), sigma)
  low = np.full(target.shape, min(means) - 10 * std)
  high = np.full(target.shape, max(means) + 10 * std)
  for _ in range(60):
    middle = (low + high) / 2
    less = cdf(middle, 0.0) < target
    low, high = np.where(less, middle, low), np.where(less, high, middle)
  return (low + high) / 2
