"""Levels and variances of repeated exposures."""

import numpy as np
import pytest
from support.cameras import BLACK, GAIN, READ_NOISE, expose, scene

from jaxgen.restoration import transfer_bins


def test_the_mean_leaves_the_pixel_out():
  image = np.zeros((20, 20))
  image[10, 10] = 48.0
  around, known = transfer_bins.leave_one_out_mean(image, image == image)
  assert around[10, 10] == pytest.approx(0) and known.all()
  assert around[10, 11] == pytest.approx(1)


def test_the_mean_is_of_good_neighbors():
  image, good = np.full((9, 9), 5.0), np.ones((9, 9), bool)
  image[4, 4], good[4, 4] = np.nan, False
  around, _ = transfer_bins.leave_one_out_mean(image, good)
  np.testing.assert_allclose(around, 5)


@pytest.mark.parametrize("frames", [2, 5])
def test_variances_are_unbiased(frames):
  pixels = transfer_bins.scene(expose(50 * scene(), 0, frames=frames))
  found = transfer_bins.usable(transfer_bins.bins(pixels))
  expected = GAIN * (found.level - BLACK) + (GAIN * READ_NOISE) ** 2 + 1 / 12
  errors = expected * np.sqrt(2 / (found.count * (frames - 1)))
  assert np.mean(((found.variance - expected) / errors) ** 2) < 1.6


def test_a_common_change_of_a_level_is_no_noise():
  frames = expose(50 * scene(), 0)
  brighter = frames.copy()
  brighter[1] += 20
  a, b = (
    transfer_bins.bins(transfer_bins.scene(x)) for x in (frames, brighter)
  )
  mean_a, mean_b = (np.average(x.variance, weights=x.count) for x in (a, b))
  assert mean_a == pytest.approx(mean_b, rel=1e-3)


def test_clipped_levels_are_left_out_whole():
  frames = np.minimum(expose(50 * scene(), 0), 170)
  pixels = transfer_bins.scene(frames, white=170.0)
  assert 0 < pixels.clipped < 1
  assert np.mean(pixels.means > 165) < 0.01


def test_one_exposure_is_refused():
  with pytest.raises(ValueError, match="two or more"):
    transfer_bins.scene(np.zeros((1, 9, 9)))
