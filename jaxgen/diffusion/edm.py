"""The denoiser of Karras et al. 2022 (EDM, arXiv:2206.00364): preconditioning
of a network, and the matching loss weight.

A noisy image is x = y + sigma n with n standard normal: the image is not
scaled, and sigma plays the role of time. With s = sigma_data,

    D(x, sigma) = c_skip x + c_out F(c_in x, c_noise)                  (eq. 7)
    loss = weight |D(y + sigma n, sigma) - y|^2                        (eq. 2)

so that inputs and targets of the network F have unit variance at every sigma,
and weight * c_out^2 = 1 (table 1, column "Ours").

Sigma may also be a map, with the noise level of each pixel. All coefficients
are then maps, except c_noise, the mean of log sigma / 4; the network sees the
deviation of log sigma from its mean as an image. A constant map is the same as
its level.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Float, Shaped

from jaxgen.typing import (
  Array,
  Conditions,
  DenoiseFn,
  Images,
  NoiseMap,
  Sigmas,
)

SIGMA_DATA = 0.5  # standard deviation of the clean images

NOISE_MAP = "noise_map"  # the image condition of uneven noise

# x, c_noise, conditions
Network = Callable[[Images, Float[Array, " b"], Conditions], Images]
Levels = Float[Array, "*s"]  # noise levels of any shape


class Scalings(NamedTuple):
  """The four coefficients, each a function of sigma with its shape."""

  c_skip: Levels
  c_out: Levels
  c_in: Levels
  c_noise: Levels


def scalings(sigma: Levels, sigma_data: float = SIGMA_DATA) -> Scalings:
  """The coefficients of table 1, for `sigma` > 0."""
  s2 = sigma_data**2
  total = jnp.square(sigma) + s2
  return Scalings(
    c_skip=s2 / total,
    c_out=sigma * sigma_data / jnp.sqrt(total),
    c_in=1 / jnp.sqrt(total),
    c_noise=jnp.log(sigma) / 4,
  )


def weight(sigma: Levels, sigma_data: float = SIGMA_DATA) -> Levels:
  """The loss weight lambda(sigma) = 1 / c_out^2."""
  return (sigma**2 + sigma_data**2) / (sigma * sigma_data) ** 2


def precondition(
  network: Network, sigma_data: float = SIGMA_DATA, *, noise_map: bool = False
) -> DenoiseFn:
  """A denoiser around a network `(x, c_noise, cond)`, eq. 7.

  The network may compute in any precision; everything here is float32.

  Args:
    network: the network.
    sigma_data: standard deviation of the clean images.
    noise_map: whether sigma may be a map; the network is given it as the image
      condition `NOISE_MAP`, shaped like `x`.
  """

  def denoise(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    c_skip, c_out, c_in, c_noise = scalings(sigma, sigma_data)
    if sigma.ndim > 1:
      if not noise_map:
        raise ValueError(
          f"sigma: expected one noise level per image, got {sigma.shape}"
        )
      c_noise, unevenness = _split(c_noise)
      image = jnp.broadcast_to(4 * unevenness, x.shape)
      cond = {**(cond or {}), NOISE_MAP: image}
    f = network(per_image(c_in) * x, c_noise, cond)
    return per_image(c_skip) * x + per_image(c_out) * f.astype(jnp.float32)

  return denoise


def _split(values: NoiseMap) -> tuple[Float[Array, " b"], NoiseMap]:
  """The mean of each image, and the deviations from it."""
  mean = jnp.mean(values, (1, 2, 3))
  return mean, values - per_image(mean)


def per_image(
  values: Shaped[Array, " b"] | Shaped[Array, "b h w c"],
) -> Shaped[Array, "b 1 1 1"] | Shaped[Array, "b h w c"]:
  """One value per image, shaped to broadcast over images; maps of values are
  unchanged."""
  return values if values.ndim > 1 else values[:, None, None, None]
