"""Scores of enlarged images, by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.metrics.upscaling import enlarged_similarity, luma


def test_luma_is_that_of_bt_601():
  """White 235 and black 16 of 255, and each primary's weight."""
  colors = 2 * jnp.asarray([[1, 1, 1], [0, 0, 0], [1, 0, 0], [0, 1, 0]]) - 1
  found = (luma(colors[:, None, None, :] * 1.0)[:, 0, 0, 0] + 1) / 2 * 255
  want = [235.0, 16.0, 16 + 65.481, 16 + 128.553]
  np.testing.assert_allclose(found, want, atol=1e-3)


def test_psnr_of_a_constant_error():
  """0.1 of [0, 1] in green: 20 dB less what three channels, or the weight of
  green, make of it."""
  x = jnp.zeros((1, 16, 16, 3))
  y = x.at[..., 1].add(0.2)
  scores = enlarged_similarity(y, x, border=2)
  assert scores["psnr"][0] == pytest.approx(20 + 10 * np.log10(3), abs=1e-3)
  weight = 128.553 / 255
  assert scores["psnr_y"][0] == pytest.approx(
    20 - 20 * np.log10(weight), abs=1e-3
  )


def test_the_border_and_values_beyond_white_do_not_count():
  x = jnp.full((1, 16, 16, 1), 0.5).at[0, 8, 8].set(1.0).at[0, 8, 9].set(0.4)
  y = x.at[:, :2].set(-1).at[:, :, -2:].set(-1).at[0, 8, 8].set(7.0)
  scores = enlarged_similarity(y, x, border=2)
  assert scores["psnr"][0] > 80 and scores["ssim"][0] == pytest.approx(1)
  assert enlarged_similarity(y, x, border=1)["psnr"][0] < 30
