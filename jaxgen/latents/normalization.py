"""Normalization of latents for denoisers: an affine map and its inverse.

It is fitted once on the host, in float64, and applied on the devices.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float64
from threadpoolctl import threadpool_limits

from jaxgen.errors import UserError
from jaxgen.latents import mixture, statistics
from jaxgen.parallel.precision import measured
from jaxgen.typing import Array

Method = Literal["channel", "whiten"]
Latents = Float[Array, "*n c"]
LEAST = 1e-6  # standard deviation relative to the largest; less is rounding


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Normalization:
  """The map x = (z - mean) forward, and its inverse z = x backward + mean.

  Channels that do not vary become 0, and their mean again.

  Attributes:
    mean: mean of the latents.
    forward: the matrix to normalized latents.
    backward: its inverse, on the channels that vary.
  """

  mean: Float[Array, " c"]
  forward: Float[Array, "c c"]
  backward: Float[Array, "c c"]

  def normalize(self, z: Latents) -> Latents:
    """Latents with mean 0 and a standard deviation of sigma_data."""
    zero = jnp.zeros_like(self.mean)
    return _affine(z, self.forward, origin=self.mean, target=zero)

  def denormalize(self, x: Latents) -> Latents:
    """The inverse of `normalize`."""
    zero = jnp.zeros_like(self.mean)
    return _affine(x, self.backward, origin=zero, target=self.mean)


@measured
def _affine(
  z: Latents,
  matrix: Float[Array, "c c"],
  *,
  origin: Float[Array, " c"],
  target: Float[Array, " c"],
) -> Latents:
  """(z - origin) matrix + target: both directions."""
  x = z.reshape(-1, z.shape[-1]) - origin[None]
  return (x @ matrix + target[None]).reshape(z.shape)


def fit(
  latents: Float[np.ndarray, "n h w c"], method: Method, *, sigma_data: float
) -> Normalization:
  """Fit the normalization to latents of training tiles.

  - `channel`: each channel by its moments over all positions;
  - `whiten`: after that the principal components of vectors, largest first, all
    scaled alike, so that they are uncorrelated. Their covariance has the
    shrinkage of Ledoit and Wolf (2004): directions with next to no variance
    stay narrow, instead of becoming noise of full size.

  Args:
    latents: the latents; vectors have h = w = 1.
    method: the kind of map.
    sigma_data: standard deviation of normalized latents.

  Raises:
    UserError: latents to be whitened are not vectors, or all are the same.
  """
  if method == "whiten" and latents.shape[1:3] != (1, 1):
    raise UserError(
      "latent.normalize=whiten: expected a codec of vectors, got latents of"
      f" {latents.shape[1:]}."
    )
  if not np.ptp(statistics.samples(latents), axis=0).any():
    raise UserError(
      "latent.run: the latents of all training tiles are the same; expected an"
      " autoencoder that tells images apart."
    )
  mean, std = statistics.moments(latents)
  used = std > LEAST * std.max()
  scale = np.where(used, std, 1.0)
  spread, axes = np.ones(len(std)), np.eye(len(std))
  if method == "whiten":
    x = (statistics.samples(latents) - mean) / scale
    spread, axes = _principal_components(x * used)
  forward = (used / scale)[:, None] * axes * (sigma_data / spread)
  backward = (used * scale)[:, None] * axes * (spread / sigma_data)
  return Normalization(
    mean=_f32(mean), forward=_f32(forward), backward=_f32(backward.T)
  )


def _principal_components(
  x: Float64[np.ndarray, "n c"],
) -> tuple[Float64[np.ndarray, " c"], Float64[np.ndarray, "c c"]]:
  """Standard deviations and directions, as columns. The largest entry of each
  is positive, so that it has one sign on every machine."""
  covariance = mixture.fit_gaussian(x).covariances[0]
  with threadpool_limits(1):
    values, axes = np.linalg.eigh(covariance)
  values, axes = values[::-1], axes[:, ::-1]
  largest = np.abs(axes).argmax(0)[None]
  signs = np.sign(np.take_along_axis(axes, largest, 0))
  smallest = LEAST**2 * values.max()
  return np.sqrt(np.maximum(values, smallest)), axes * signs


def _f32(x: Any) -> Array:
  return jax.device_put(np.asarray(x, np.float32))
