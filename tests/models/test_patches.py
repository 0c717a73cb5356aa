import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.models import patches
from jaxgen.models.patches import patchify, unpatchify


def test_patches_keep_their_pixels_and_their_order():
  images = jax.random.normal(jax.random.key(0), (2, 8, 12, 3))
  tokens = patchify(images, 4)
  assert tokens.shape == (2, 6, 48)
  for row in range(2):
    for col in range(3):
      block = images[:, 4 * row : 4 * row + 4, 4 * col : 4 * col + 4]
      np.testing.assert_array_equal(
        tokens[:, 3 * row + col], block.reshape(2, 48)
      )
  np.testing.assert_array_equal(unpatchify(tokens, 4, grid=(2, 3)), images)


@pytest.mark.parametrize("overlap", [0, 1, 2])
def test_overlapping_patches_are_summed_with_weights(overlap):
  rows, columns, size = 2, 3, 4
  side = size + 2 * overlap
  shape = 2, rows * columns, side, side, 3
  tokens = np.random.default_rng(0).normal(size=shape)
  weights = np.outer(*[patches.patch_window(size, overlap)] * 2)[..., None]
  padded = (rows * size + 2 * overlap, columns * size + 2 * overlap)
  total, covered = np.zeros((2, *padded, 3)), np.zeros((*padded, 1))
  for i in range(rows * columns):
    top, left = (size * x for x in divmod(i, columns))
    place = slice(top, top + side), slice(left, left + side)
    total[:, *place] += weights * tokens[:, i]
    covered[place] += weights
  inside = (total / covered)[:, overlap:, overlap:]
  image = patches.overlap_patches(
    jnp.asarray(tokens.reshape(2, rows * columns, -1)),
    size,
    overlap=overlap,
    grid=(rows, columns),
  )
  np.testing.assert_allclose(
    image, inside[:, : rows * size, : columns * size], atol=1e-5
  )


@pytest.mark.parametrize("overlap", [0, 1, 2, 4])
def test_windows_of_neighboring_patches_sum_to_one(overlap):
  window = patches.patch_window(8, overlap)
  total = np.zeros(8 * 3 + 2 * overlap)
  for start in (0, 8, 16):
    total[start : start + len(window)] += window
  np.testing.assert_allclose(total[8:-8], 1, atol=1e-6)
