"""Black level and read noise of exposures without light."""

import numpy as np
import pytest
from support.cameras import BLACK, GAIN, READ_NOISE, expose

from jaxgen.restoration import darks

DARK = np.zeros((60, 80))
VARIANCE = (GAIN * READ_NOISE) ** 2 + 1 / 12


@pytest.mark.parametrize("frames", [1, 2, 16])
def test_errors_are_honest(frames):
  for seed in range(6):
    found = darks.measure(expose(DARK, seed, frames=frames))
    assert abs(found.black - BLACK) < 3 * found.black_error + 0.02
    assert abs(found.variance - VARIANCE) < 3 * found.variance_error


def test_fixed_patterns_and_drift_are_no_read_noise():
  rng = np.random.default_rng(0)
  frames = expose(DARK, 0, frames=8) + rng.normal(0, 5, DARK.shape)
  frames += np.arange(8)[:, None, None]
  found = darks.measure(frames)
  assert found.variance == pytest.approx(VARIANCE, rel=0.03)
  assert found.black_error > 0.5  # the drift
  assert found.black_map.std() == pytest.approx(5, rel=0.1)


def test_hot_pixels_are_left_out():
  frames = expose(DARK, 0, frames=8)
  frames[:, 3, 4] += 3000
  frames[::2, 5, 6] += 3000
  found = darks.measure(frames)
  assert found.dead.sum() == 2 and found.dead[3, 4] and found.dead[5, 6]
  assert found.variance == pytest.approx(VARIANCE, rel=0.03)
  assert found.noise_map is not None and found.noise_map[5, 6] > 1000


def test_one_dark_has_no_map_of_noise_and_no_bin():
  found = darks.measure(expose(DARK, 0, frames=1))
  assert found.noise_map is None and found.bins is None


def test_no_numbers_are_refused():
  with pytest.raises(ValueError, match="numbers"):
    darks.measure(np.full((2, 4, 4), np.nan))


@pytest.mark.parametrize("pattern", [0.0, 1.0, 10.0])
def test_a_map_is_not_worse_than_the_mean_nor_than_the_average(pattern):
  rng = np.random.default_rng(0)
  true = BLACK + rng.normal(0, pattern, DARK.shape)
  frames = expose(DARK, 0, frames=4, rounded=False) + true - BLACK
  found = darks.measure(frames)
  error = (found.black_map - true).std()
  assert error < 1.02 * min(true.std() + 1e-2, (frames.mean(0) - true).std())
