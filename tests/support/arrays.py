"""Arrays that many tests begin with."""

import jax.numpy as jnp
import numpy as np


def noise(shape, seed=0):
  """Standard normal, float32."""
  values = np.random.default_rng(seed).normal(size=shape)
  return jnp.asarray(values, jnp.float32)
