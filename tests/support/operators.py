"""Operators for tests."""

import jax.numpy as jnp

from jaxgen.restoration.operators import Operator


def dense(matrix) -> Operator:
  """Any matrix `(m, w)`, applied to each row of w pixels."""
  matrix = jnp.asarray(matrix, jnp.float32)
  return Operator(
    apply=lambda x: jnp.einsum("mj,bhjc->bhmc", matrix, x),
    adjoint=lambda y: jnp.einsum("mj,bhmc->bhjc", matrix, y),
  )
