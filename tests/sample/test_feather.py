"""The border between known and new pixels."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.sample import feather


def column(unknown: list[int]) -> np.ndarray:
  """A mask of one row."""
  return np.array(unknown, bool).reshape(1, 1, -1, 1)


@pytest.mark.parametrize(
  ("cell", "expected"),
  [(1, [0, 0, 0, 0, 1, 1]), (4, [0, 0.25, 0.5, 0.75, 1, 1])],
)
def test_the_share_of_new_pixels_is_a_ramp_of_one_cell(cell, expected):
  found = feather.share(column([0, 0, 0, 0, 1, 1]), cell)
  np.testing.assert_allclose(found[0, 0, :, 0], expected)


def test_without_new_pixels_nothing_is_blended():
  rng = np.random.default_rng(0)
  known, new = rng.integers(0, 256, (2, 1, 4, 4, 3), dtype=np.uint8)
  none = np.zeros((1, 4, 4, 1), bool)
  found = feather.blend(known, new, none, cell=4)
  np.testing.assert_array_equal(found, known)


def test_cells_of_one_pixel_are_pasted():
  rng = np.random.default_rng(0)
  known, new = rng.integers(0, 256, (2, 3, 4, 4, 2), dtype=np.uint8)
  unknown = rng.random((3, 4, 4, 1)) < 0.5
  found = feather.blend(known, new, unknown, cell=1)
  np.testing.assert_array_equal(found, np.where(unknown, new, known))


def test_a_cell_is_known_if_all_of_its_pixels_are():
  known = np.ones((1, 4, 4, 1), bool)
  known[0, 1, 3] = False
  found = feather.known_cells(jnp.asarray(known), (2, 2, 5))
  assert found.shape == (1, 2, 2, 1)
  assert found[0, ..., 0].tolist() == [[True, False], [True, True]]


def test_unknown_pixels_are_filled_with_the_mean_of_known_ones():
  images = np.array([[0, 10, 200]], np.uint8).reshape(1, 1, 3, 1)
  found = feather.filled(images, column([0, 0, 1]))
  assert found.reshape(-1).tolist() == [0, 10, 5]
  assert not feather.filled(images, column([1, 1, 1])).any()
