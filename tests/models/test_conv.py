"""Building blocks of the convolutional networks."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.models.conv import GroupNorm, downsample, upsample


def test_group_norm_is_flax_s():
  x = 3 + 2 * jax.random.normal(jax.random.key(0), (2, 8, 8, 64))
  params = {"scale": jnp.linspace(0.5, 2, 64), "bias": jnp.linspace(-1, 1, 64)}
  ours: Any = GroupNorm(groups=16).apply({"params": params}, x)
  theirs: Any = nn.GroupNorm(num_groups=16, epsilon=1e-5).apply(
    {"params": params}, x
  )
  np.testing.assert_allclose(ours, theirs, atol=2e-5)
  scale, shift = jnp.full((2, 64), 0.5), jnp.full((2, 64), 7.0)
  moved: Any = GroupNorm(groups=16).apply(
    {"params": params}, x, scale=scale, shift=shift
  )
  np.testing.assert_allclose(moved, 1.5 * theirs + 7, atol=5e-5)


def test_downsampling_undoes_upsampling():
  x = jax.random.normal(jax.random.key(0), (2, 4, 6, 3))
  assert upsample(x).shape == (2, 8, 12, 3)
  np.testing.assert_allclose(downsample(upsample(x)), x, atol=1e-6)
  corner = downsample(x)[0, 0, 0]
  np.testing.assert_allclose(corner, x[0, :2, :2].mean((0, 1)), 1e-5)
