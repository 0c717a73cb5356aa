"""Bicubic resizing and the projection onto a given reduction."""

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgen import bicubic


@pytest.mark.parametrize(("old", "new"), [(24, 12), (36, 9), (12, 24), (9, 27)])
def test_it_is_pillow_s_antialiased_keys_kernel(old, new):
  x = np.random.default_rng(0).normal(size=(old, old + 12)).astype(np.float32)
  width = (old + 12) * new // old
  image = Image.fromarray(x).resize((width, new), Image.Resampling.BICUBIC)
  found = bicubic.resize(x[..., None], new, width)[..., 0]
  np.testing.assert_allclose(found, np.asarray(image), atol=1e-5)
  jitted = bicubic.resize(jnp.asarray(x)[..., None], new, width)[..., 0]
  np.testing.assert_allclose(found, jitted, atol=1e-5)


def test_integers_are_rounded_and_clipped():
  edge = np.zeros((16, 16, 1), np.uint8)
  edge[:, 5:] = 255  # overshoots
  small = bicubic.reduce(edge, 2)
  exact = bicubic.resize(edge.astype(np.float32), 8, 8)
  assert exact.max() > 255.5 and exact.min() < -0.5
  np.testing.assert_array_equal(small, np.clip(np.rint(exact), 0, 255))


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_projection_has_the_given_reduction_and_changes_nothing_else(factor):
  rng = np.random.default_rng(factor)
  low = rng.uniform(-1, 1, (7, 10, 3)).astype(np.float32)
  y = rng.uniform(-1, 1, (7 * factor, 10 * factor, 3)).astype(np.float32)
  x = bicubic.project(y, low)
  np.testing.assert_allclose(bicubic.resize(x, 7, 10), low, atol=1e-5)
  np.testing.assert_allclose(bicubic.project(x, low), x, atol=1e-5)
  # The change is orthogonal to all images whose reduction is zero.
  zero = bicubic.project(rng.normal(size=y.shape).astype(np.float32), 0 * low)
  assert abs(np.mean((x - y) * zero)) < 1e-6


def test_back_projection_approaches_the_small_images():
  """Each step reduces what is missing, and what lacks nothing is unchanged."""
  low = np.random.default_rng(0).normal(size=(9, 7, 1)).astype(np.float32)
  smooth = bicubic.resize(low, 18, 14)
  missing = [
    np.abs(bicubic.resize(x, 9, 7) - low).max()
    for x in (bicubic.back_project(smooth, low, steps=k) for k in (0, 1, 4, 16))
  ]
  assert missing == sorted(missing, reverse=True)
  assert missing[-1] < 0.02 * missing[0]
  exact = bicubic.project(smooth, low)
  found = bicubic.back_project(exact, low, steps=3)
  np.testing.assert_allclose(found, exact, atol=1e-5)
