"""The U-Nets of DDPM and EDM: their sizes, times, and blocks; `tests/interop`
compares them with the originals."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.config.ddpm_unet import DDPMUNetConfig
from jaxgen.config.song_unet import SongUNetConfig
from jaxgen.models.build import build
from jaxgen.models.ddpm_blocks import Downsample
from jaxgen.models.ddpm_unet import time_features


@pytest.mark.parametrize(
  ("options", "size"),
  [(DDPMUNetConfig(), 35_746_307), (SongUNetConfig(), 55_732_739)],
)
def test_the_default_has_the_size_of_the_original_for_cifar10(options, size):
  model = build(options, resolution=32, channels=3)
  inputs = jnp.zeros((1, 32, 32, 3)), jnp.zeros(1)
  params = jax.eval_shape(model.init, jax.random.key(0), *inputs)
  assert sum(x.size for x in jax.tree.leaves(params)) == size


@pytest.mark.parametrize(("shift", "lowest"), [(1, 1e-4), (0, 1e-3)])
def test_times_have_frequencies_from_1_down(shift, lowest):
  """Of four frequencies; the lowest is 1e-4, or one step above it."""
  t = jnp.array([0.0, 1.0, 700.0])
  x = time_features(t, 8, shift=shift, cosines_first=False)
  angles = np.outer(t, np.geomspace(1.0, lowest, 4))
  np.testing.assert_allclose(x[:, :4], np.sin(angles), atol=1e-4)
  np.testing.assert_allclose(x[:, 4:], np.cos(angles), atol=1e-4)
  swapped = time_features(t, 8, shift=shift, cosines_first=True)
  np.testing.assert_array_equal(swapped, jnp.roll(x, 4, axis=1))


@pytest.mark.parametrize("asymmetric", [True, False])
@pytest.mark.parametrize("place", range(3))
def test_zeros_are_at_the_right_and_bottom_or_on_all_sides(asymmetric, place):
  """A kernel of a single 1 picks a pixel of each 3 x 3, or a zero around the
  image."""
  x = jax.random.normal(jax.random.key(0), (1, 6, 6, 1))
  kernel = jnp.zeros((3, 3, 1, 1)).at[place, place].set(1.0)
  params = {"conv": {"kernel": kernel, "bias": jnp.zeros(1)}}
  model = Downsample(asymmetric=asymmetric, dtype=jnp.float32)
  y: Any = model.apply({"params": params}, x)
  before = 0 if asymmetric else 1
  padded = np.pad(x, ((0, 0), (before, 1), (before, 1), (0, 0)))
  picked = padded[:, place::2, place::2][:, :3, :3]
  np.testing.assert_allclose(y, picked, atol=1e-6)
