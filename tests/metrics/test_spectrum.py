"""The error in fine detail, for waves of known frequency."""

import numpy as np
import pytest

from jaxgen.metrics.images import similarity
from jaxgen.metrics.spectrum import high_frequency_error

SIDE = 32


def wave(periods, amplitude=0.5, axis=0):
  """A sinusoid of so many periods over the side, in one direction."""
  at = np.arange(SIDE) * 2 * np.pi * periods / SIDE
  rows = np.sin(at)[:, None] * np.ones(SIDE)
  rows = rows if axis == 0 else rows.T
  return (amplitude * rows)[None, ..., None] * np.ones(3)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(
  ("periods", "share"), [(4, 0), (8, 0), (9, 1), (12, 1)]
)
def test_a_wave_lies_on_one_side_of_a_quarter_period_a_pixel(
  periods, share, axis
):
  error = wave(periods, axis=axis)
  high, part = high_frequency_error(error, np.zeros_like(error))
  assert part == pytest.approx(share, abs=1e-12)
  energy = 0.5**2 / 2 / 4  # of the sinusoid, on [0, 1]
  assert high == pytest.approx(share * energy, abs=1e-12)


def test_frequencies_are_radial():
  """Two directions of 6 periods each are a diagonal wave of 8.5."""
  straight = wave(6) + wave(6, axis=1)
  diagonal = 4 * wave(6) * wave(6, axis=1)
  zero = np.zeros_like(straight)
  assert high_frequency_error(straight, zero)[1] == pytest.approx(0, abs=1e-12)
  assert high_frequency_error(diagonal, zero)[1] == pytest.approx(1)


def test_shares_are_those_of_the_energy():
  error = wave(4, amplitude=0.3) + wave(12, amplitude=0.1)
  share = high_frequency_error(error, np.zeros_like(error))[1]
  assert share == pytest.approx(0.01 / 0.10)


def test_without_the_lower_half_it_is_the_mse():
  rng = np.random.default_rng(0)
  x, y = rng.uniform(-1.2, 1.2, (2, 3, SIDE, SIDE, 3)).astype(np.float32)
  high, share = high_frequency_error(x, y)
  mse = np.asarray(similarity(x, y)["mse"])
  np.testing.assert_allclose(high / share, mse, rtol=1e-5)
  assert (share > 0.5).all() and (share < 0.95).all()  # white noise: by area


def test_no_error_has_no_share():
  x = wave(4)
  assert high_frequency_error(x, x) == (0, 0)
