"""Statistics of latents, compared with closed forms."""

import numpy as np
import pytest

from jaxgen.latents import statistics


def normal(*shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape)


def test_moments_are_those_of_each_channel():
  mean, scale = np.array([0.0, 3.0, -1.0]), np.array([1.0, 0.1, 5.0])
  for shape in ((200_000, 3), (2000, 10, 10, 3)):
    found = statistics.moments(mean + scale * normal(*shape))
    np.testing.assert_allclose(found[0], mean, atol=0.05)
    np.testing.assert_allclose(found[1], scale, rtol=0.02)


def test_the_spectrum_is_that_of_the_covariance():
  values = np.array([9.0, 4.0, 1.0])
  turn = np.linalg.qr(normal(3, 3))[0]
  x = 7 + (normal(100_000, 3) * np.sqrt(values)) @ turn.T
  found = statistics.covariance_spectrum(x)
  np.testing.assert_allclose(found, values, rtol=0.03)


@pytest.mark.parametrize(
  ("values", "rank"),
  [
    (np.ones(7), 7),
    (np.array([5.0, 0, 0]), 1),
    (np.array([2.0, 2, 0]), 2),
    (np.zeros(3), 0),
  ],
)
def test_the_effective_rank_counts_equal_directions(values, rank):
  assert statistics.effective_rank(values) == pytest.approx(rank)
  assert statistics.effective_rank(9 * values) == pytest.approx(rank)


def test_a_linear_decoder_is_even_and_a_bent_one_is_not():
  ends = normal(8, 5).astype(np.float32)
  lines = statistics.straight_lines(ends, 9)
  assert lines.shape == (4, 9, 5)
  np.testing.assert_array_equal(lines[:, 0], ends[::2])
  np.testing.assert_allclose(lines[:, -1], ends[1::2], rtol=1e-6)
  linear = (lines @ normal(5, 12, seed=1)).reshape(4, 9, 2, 2, 3)
  assert statistics.smoothness(linear) == pytest.approx((1, 1), rel=1e-5)
  jump = (np.arange(9) > 4).astype(float).reshape(1, 9, 1, 1, 1)
  assert statistics.smoothness(jump) == pytest.approx((1, 8))
  angle = np.linspace(0, np.pi, 9)
  arc = np.stack([np.cos(angle), np.sin(angle)], -1).reshape(1, 9, 1, 1, 2)
  ratio, largest = statistics.smoothness(arc)  # half a circle over its diameter
  assert ratio == pytest.approx(8 * np.sin(np.pi / 16)) and largest < 1 + 1e-9
  assert statistics.smoothness(np.zeros((2, 3, 1, 1, 1))) == (1, 1)


def test_noise_reaches_a_linear_decoder_as_its_matrix_says():
  """E |W s n|^2 = level^2 sum_c scale_c^2 |W_c|^2."""
  scale = np.array([0.5, 2.0, 1.0])
  z = (normal(20_000, 3) * scale).astype(np.float32)
  w = normal(3, 4, seed=1)
  found = statistics.noise_response(lambda x: x @ w, z, (0.1, 0.2))
  wanted = (scale[:, None] ** 2 * w**2).sum() / 4
  np.testing.assert_allclose(found, [0.01 * wanted, 0.04 * wanted], rtol=0.04)
