"""Linear systems of each image of a batch, by generalized conjugate residuals.

Every step minimizes the residual over one more direction, whatever the matrix,
symmetric or not: the residual never grows (Eisenstat, Elman and Schultz 1983,
"Variational iterative methods for nonsymmetric systems of linear equations").
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Float

from jaxgen.typing import Array, Images

Values = Float[Array, "b *m"]
# a direction to what it adds to the images, and what it takes from the residual
Apply = Callable[[Values], tuple[Images, Values]]
TINY = 1e-20


def solve(
  apply: Apply, right: Values, *, steps: int, like: Images
) -> tuple[Images, Values]:
  """The update of the images, and the residual that is left.

  Args:
    apply: the matrix, and the map from its solutions to updates.
    right: the right-hand side.
    steps: steps, each one call of `apply`; may be 0.
    like: images shaped as the update.
  """
  if not steps:
    return jnp.zeros_like(like), right

  def step(carry, i):
    update, residual, images, mapped = carry
    image, product = apply(residual)
    overlap = _dots(mapped, product)  # with each former direction
    image = image - jnp.sum(_fit(overlap, images) * images, 0)
    product = product - jnp.sum(_fit(overlap, mapped) * mapped, 0)
    norm = jnp.sqrt(_dots(product[None], product))
    inverse = jnp.where(norm > TINY, 1 / jnp.maximum(norm, TINY), 0.0)
    image = image * _fit(inverse, images)[0]
    product = product * _fit(inverse, mapped)[0]
    length = _dots(product[None], residual)
    update = update + _fit(length, images)[0] * image
    residual = residual - _fit(length, mapped)[0] * product
    images, mapped = images.at[i].set(image), mapped.at[i].set(product)
    return (update, residual, images, mapped), None

  images = jnp.zeros((steps, *like.shape), like.dtype)
  mapped = jnp.zeros((steps, *right.shape), right.dtype)
  start = (jnp.zeros_like(like), right, images, mapped)
  (update, residual, *_), _ = jax.lax.scan(step, start, jnp.arange(steps))
  return update, residual


def _dots(
  many: Float[Array, "k b *m"], one: Float[Array, "b *m"]
) -> Float[Array, "k b"]:
  """Inner products of each image."""
  return jnp.sum(many * one[None], tuple(range(2, many.ndim)))


def _fit(values: Float[Array, "k b"], like: Array) -> Array:
  return values.reshape(*values.shape, *(1,) * (like.ndim - 2))
