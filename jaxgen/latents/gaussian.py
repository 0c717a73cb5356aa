"""The Gaussian of latents for denoising: whitened channels, and the principal
axes of the whole latent. Fits run once on the host, in float64."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

from jaxgen.diffusion import analytic
from jaxgen.latents import mixture
from jaxgen.latents.statistics import Latents, samples
from jaxgen.typing import DenoiseFn

LEAST = 1e-8  # variance, relative to the mean of the axes, that is scaled up


class Whitening(NamedTuple):
  """An affine map of channels, and its inverse."""

  mean: Float[np.ndarray, " c"]
  forward: Float[np.ndarray, "c c"]
  backward: Float[np.ndarray, "c c"]

  def whiten(self, latents: Latents) -> Latents:
    """Latents `(n, ..., c)` whose channels are uncorrelated, float32."""
    return ((latents - self.mean) @ self.forward).astype(np.float32)

  def unwhiten(self, latents: Latents) -> Latents:
    """The inverse of `whiten`."""
    return (latents @ self.backward + self.mean).astype(np.float32)


def fit_whitening(latents: Latents, *, std: float) -> Whitening:
  """The whitening nearest to the identity after which the channels have the
  standard deviation `std`; axes with nearly no variance keep less."""
  x = samples(latents)
  mean = x.mean(0)
  with threadpool_limits(1):
    values, vectors = np.linalg.eigh((x - mean).T @ (x - mean) / len(x))
  least = max(LEAST * float(values.mean()), np.finfo(np.float32).tiny)
  scale = np.sqrt(np.maximum(values, least)) / std
  forward, backward = vectors / scale @ vectors.T, vectors * scale @ vectors.T
  return Whitening(mean, forward, backward)


def fit_denoiser(latents: Float[np.ndarray, "n *s"]) -> DenoiseFn:
  """The best denoiser of Gaussian latents: the posterior mean for their mean
  and covariance, with the shrinkage of Ledoit and Wolf (2004).

  Beyond `mixture.MAX_RANK` principal axes, variance is the same in all others.
  """
  flat = np.asarray(latents, np.float64).reshape(len(latents), -1)
  x = mixture.principal_coordinates(flat)
  fitted = mixture.fit_gaussian(x.values)
  with threadpool_limits(1):
    variances, vectors = np.linalg.eigh(fitted.covariances[0])
  left = flat.shape[1] - len(variances)
  missing = flat.var(0).sum() - x.values.var(0).sum()
  return analytic.principal_axes(
    jnp.asarray(x.center + fitted.means[0] @ x.basis, jnp.float32),
    jnp.asarray(vectors.T @ x.basis, jnp.float32),
    variances=jnp.asarray(np.maximum(variances, 0), jnp.float32),
    rest=float(max(missing, 0.0)) / max(left, 1),
  )
