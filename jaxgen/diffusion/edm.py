"""The denoiser of Karras et al. 2022 (EDM, arXiv:2206.00364): preconditioning
of a network, and the matching loss weight.

A noisy image is x = y + sigma n with n standard normal: the image is not
scaled, and sigma plays the role of time. With s = sigma_data,

    D(x, sigma) = c_skip x + c_out F(c_in x, c_noise)                  (eq. 7)
    loss = weight |D(y + sigma n, sigma) - y|^2                        (eq. 2)

so that inputs and targets of the network F have unit variance at every sigma,
and weight * c_out^2 = 1 (table 1, column "Ours").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Float, Shaped

from jaxgen.typing import Array, Conditions, DenoiseFn, Images, Sigmas

SIGMA_DATA = 0.5  # standard deviation of the clean images

Network = Callable[[Images, Sigmas, Conditions], Images]  # x, c_noise, cond
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


def precondition(network: Network, sigma_data: float = SIGMA_DATA) -> DenoiseFn:
  """A denoiser around a network `(x, c_noise, cond)`, eq. 7.

  The network may compute in any precision; everything here is float32.
  """

  def denoise(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    c_skip, c_out, c_in, c_noise = scalings(sigma, sigma_data)
    f = network(per_image(c_in) * x, c_noise, cond)
    return per_image(c_skip) * x + per_image(c_out) * f.astype(jnp.float32)

  return denoise


def per_image(values: Shaped[Array, " b"]) -> Shaped[Array, "b 1 1 1"]:
  """One value per image, shaped to broadcast over images."""
  return values[:, None, None, None]
