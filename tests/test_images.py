"""Conversion, resizing and grids of image arrays."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import images


def test_stored_images_become_minus_one_to_one():
  for dtype, top in ((np.uint8, 255), (np.uint16, 65535)):
    x = images.normalize(jnp.array([0, top], dtype))
    np.testing.assert_allclose(x, [-1, 1], atol=1e-6)
  x = jnp.array([-0.3, 0.7])
  np.testing.assert_array_equal(images.normalize(x), x)


def test_pixels_survive_the_way_to_floats_and_back():
  levels = jnp.arange(256, dtype=jnp.uint8)
  found = images.to_uint8(images.normalize(levels))
  np.testing.assert_array_equal(found, levels)
  assert images.to_uint8(jnp.array([-9.0, 9.0])).tolist() == [0, 255]


def test_detail_is_softened_by_a_share():
  """None of it: means, enlarged; all of it: the image."""
  x = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (2, 8, 8, 3)))
  coarse = images.resize(images.resize(x, 4), 8)
  for share in (0.0, 0.25, 1.0):
    found = images.blend_detail(x, 4, jnp.float32(share))
    want = (1 - share) * coarse + share * x
    np.testing.assert_allclose(found, want, atol=1e-6)


def test_shrinking_keeps_the_mean_and_enlarging_keeps_planes():
  x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 12, 12, 1)))
  small = images.resize(x, 5)
  axes = (1, 2, 3)
  np.testing.assert_allclose(small.mean(axes), x.mean(axes), atol=1e-6)
  flat = jnp.full((1, 4, 4, 1), 0.3)
  for circular in (False, True):
    found = images.resize(flat, 10, circular)
    np.testing.assert_allclose(found, 0.3, rtol=1e-6)


@pytest.mark.parametrize(
  ("num", "columns", "shape"),
  [(5, None, (3, 2)), (5, 5, (1, 5)), (1, 3, (1, 3))],
)
def test_a_grid_is_filled_up_with_white(num, columns, shape):
  tiles = np.zeros((num, 100, 100, 1), np.uint8)
  picture = images.image_grid(tiles, columns)
  rows, wide = shape
  assert picture.shape == (102 * rows - 2, 102 * wide - 2, 3)
  white = picture[::102, ::102, 0] == 255
  assert white.shape == shape and white.sum() == rows * wide - num
  assert not white[:-1].any()  # all of them in the last row


@pytest.mark.parametrize("num", [1, 2, 3, 7, 8, 64])
def test_a_grid_shows_every_image(num):
  values = np.arange(1, num + 1, dtype=np.uint8)[:, None, None, None]
  shown = images.image_grid(np.broadcast_to(values, (num, 96, 96, 1)))
  assert set(np.unique(shown)) - {255} == set(range(1, num + 1))


@pytest.mark.parametrize(
  ("stored", "chosen", "want"),
  [
    (1, (), [0]),
    (2, (), [0]),
    (3, (), [0, 1, 2]),
    (4, (), [0, 1, 2]),
    (4, (0, 1, 3), [0, 1, 3]),
    (16, (15,), [15]),
  ],
)
def test_a_picture_shows_three_channels_or_one(stored, chosen, want):
  x = np.broadcast_to(np.arange(stored), (2, 4, 4, stored)).astype(np.uint8)
  found = images.visible(x, chosen)
  assert found[1, 2, 3].tolist() == want
  picture = images.grid(images.visible(x, chosen)[None], least=1)
  assert picture[0, 0].tolist() == (want * 3)[:3]
