"""Classical restoration: the transform and its inverse, and denoisers."""

import numpy as np
import pytest

from jaxgen.evaluation import classical

DENOISERS = [classical.non_local_means, classical.total_variation]
if classical.has_bm3d():
  DENOISERS.append(classical.bm3d)


@pytest.mark.parametrize("read_noise", [0.0, 1.0, 3.0])
def test_the_inverse_is_unbiased(read_noise):
  """The mean of transformed counts is that of their rate."""
  rng = np.random.default_rng(0)
  for rate in (1.0, 4.0, 60.0, 150.0):
    counts = rng.poisson(rate, 200_000) + read_noise * rng.normal(size=200_000)
    mean = classical.anscombe(counts, read_noise).mean()
    found = classical.inverse_anscombe(np.array(mean), read_noise)
    error = (rate + read_noise**2) ** 0.5 / 200_000**0.5
    assert abs(found - rate) < 5 * error + 1e-3 * rate


def test_the_inverse_is_continuous_and_grows():
  values = np.linspace(0, 200, 20_001)
  steps = np.diff(classical.inverse_anscombe(values, 1.0))
  assert (steps >= 0).all()
  assert (steps <= 1.01 * values[1:] / 2 * np.diff(values) + 2e-3).all()


@pytest.mark.parametrize("rate", [5.0, 50.0])
def test_the_transform_makes_the_noise_even(rate):
  rng = np.random.default_rng(0)
  counts = rng.poisson(rate, 50_000) + rng.normal(size=50_000)
  assert np.std(classical.anscombe(counts, 1.0)) == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("denoise", DENOISERS)
@pytest.mark.parametrize("channels", [1, 3])
def test_denoisers_come_close_to_a_smooth_image(denoise, channels):
  rng = np.random.default_rng(0)
  rows = 10 + 20 * (np.arange(24) > 11)
  rate = np.broadcast_to(rows[:, None, None], (24, 24, channels)).astype(float)
  counts = rng.poisson(rate) + rng.normal(size=rate.shape)
  found = classical.restored(counts, denoise, read_noise=1.0)
  assert found.shape == rate.shape
  error, before = np.mean((found - rate) ** 2), np.mean((counts - rate) ** 2)
  assert error < before / 3
