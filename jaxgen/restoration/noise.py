"""Noise models of measurements: the distribution of values around A x."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
from jaxtyping import Float

from jaxgen.typing import Array

Values = Float[Array, "b *m"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class GaussianNoise:
  """Independent Gaussian noise on every measured value.

  Attributes:
    variance: finite variance, in squared units of the values: a number or an
      array that broadcasts to them; 0: exact.
  """

  variance: float | Array

  def log_likelihood(self, values: Values, mean: Values) -> Float[Array, " b"]:
    """The logarithm of the density of measured values, of each image, in nats;
    not defined for a variance of 0.

    Args:
      values: y `(b, ...)`.
      mean: A x, their values without noise.
    """
    variance = jnp.broadcast_to(jnp.asarray(self.variance), values.shape)
    nats = (values - mean) ** 2 / variance + jnp.log(2 * jnp.pi * variance)
    return -jnp.sum(nats.reshape(len(values), -1), 1) / 2


EXACT = GaussianNoise(variance=0.0)
"""The noise model of exact measurements."""
