"""Rules for weights of another patch size, and the properties they preserve."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.images import downsample_matrix, resize, upsample_matrix
from jaxgen.models.patches import patchify, unpatchify
from jaxgen.models.resampling import (
  remaining_noise,
  resize_input_kernel,
  resize_output_kernel,
  resize_positions,
)

RNG = np.random.default_rng(0)
PAIRS = [(4, 8), (4, 6), (8, 16), (3, 4)]


def draw(*shape):
  return jnp.asarray(RNG.normal(size=shape), jnp.float32)


@pytest.mark.parametrize(("old", "new"), [*PAIRS, (8, 4), (6, 4)])
def test_enlarging_is_that_of_jax(old, new):
  want = jax.image.resize(jnp.eye(old), (new, old), "linear")
  np.testing.assert_allclose(upsample_matrix(old, new), want, atol=1e-6)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_enlarged_patches_are_read_and_painted_as_the_small_ones(old, new):
  """Patch by patch: the same tokens, and the enlarged patches."""
  small, w, b = draw(2, 2 * old, 2 * old, 3), draw(old**2 * 3, 5), draw(5)
  patches = patchify(small, old).reshape(8, old, old, 3)
  large = jax.image.resize(patches, (8, new, new, 3), "linear").reshape(8, -1)
  tokens = patchify(small, old).reshape(8, -1) @ w
  np.testing.assert_allclose(
    large @ resize_input_kernel(w, old=old, new=new), tokens, atol=1e-3
  )
  v = draw(5, old**2 * 3)
  painted = unpatchify((b @ v)[None, None], old, grid=(1, 1))
  want = jax.image.resize(painted, (1, new, new, 3), "linear")
  got = unpatchify(
    (b @ resize_output_kernel(v, old=old, new=new))[None, None],
    new,
    grid=(1, 1),
  )
  np.testing.assert_allclose(got, want, atol=1e-4)


def test_at_the_same_size_nothing_changes():
  w = draw(16 * 3, 5)
  np.testing.assert_allclose(resize_input_kernel(w, old=4, new=4), w, atol=1e-5)
  np.testing.assert_allclose(
    resize_output_kernel(w.T, old=4, new=4), w.T, atol=1e-6
  )
  np.testing.assert_allclose(
    resize_positions(w[:16], old=4, new=4), w[:16], atol=1e-6
  )


def test_positions_lie_between_those_of_before():
  ramp = jnp.stack(jnp.meshgrid(jnp.arange(4.0), jnp.arange(4.0)), -1)
  found = resize_positions(ramp.reshape(16, 2), old=4, new=8).reshape(8, 8, 2)
  inner = (np.arange(8) + 0.5) / 2 - 0.5
  want = np.clip(inner, 0, 3)
  np.testing.assert_allclose(found[0, :, 0], want, atol=1e-6)
  np.testing.assert_allclose(found[:, 0, 1], want, atol=1e-6)


@pytest.mark.parametrize(("old", "new"), [(8, 4), (96, 64), (128, 96)])
def test_means_keep_the_mean_and_the_noise_that_is_said(old, new):
  x = draw(64, old, old, 1)
  small = resize(x, new)
  np.testing.assert_allclose(small.mean((1, 2)), x.mean((1, 2)), atol=1e-5)
  std = float(small.std())
  assert std == pytest.approx(remaining_noise(old, new), rel=0.05)
  assert remaining_noise(8, 4) == pytest.approx(0.5)
  np.testing.assert_allclose(downsample_matrix(old, new).sum(1), 1, atol=1e-6)


def test_on_a_torus_enlarging_and_rolling_commute():
  x = draw(1, 4, 4, 1)
  rolled = resize(jnp.roll(x, 1, axis=2), 8, circular=True)
  want = jnp.roll(resize(x, 8, circular=True), 2, axis=2)
  np.testing.assert_allclose(rolled, want, atol=1e-6)
