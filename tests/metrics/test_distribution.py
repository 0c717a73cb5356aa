"""Distances between distributions, compared with closed forms."""

import math

import numpy as np
import pytest
import scipy.linalg

from jaxgen.metrics.distribution import (
  diversity,
  frechet,
  interval,
  kid,
  manifold,
)


def normal(n, d, seed, mean=0.0, std=1.0):
  return mean + std * np.random.default_rng(seed).normal(size=(n, d))


def with_moments(x, mean, covariance):
  """`x` moved so that its sample moments are exact."""
  white = x - x.mean(0)
  white = white @ np.linalg.inv(np.linalg.cholesky(np.cov(white.T)).T)
  return mean + white @ np.linalg.cholesky(covariance).T


def test_frechet_distance_of_known_gaussians():
  """Of commuting covariances: |m|^2 + sum (sqrt(a) - sqrt(b))^2."""
  a, b = np.array([1.0, 4.0, 9.0]), np.array([4.0, 1.0, 0.25])
  turn = np.linalg.qr(normal(3, 3, 5))[0]
  x = with_moments(normal(50, 3, 0), np.zeros(3), turn @ np.diag(a) @ turn.T)
  y = with_moments(
    normal(60, 3, 1), np.array([1.0, 2.0, 0.0]), turn @ np.diag(b) @ turn.T
  )
  want = 5 + ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
  assert frechet(x, y) == pytest.approx(want, rel=1e-9)
  assert frechet(x, x) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_is_the_textbook_formula():
  x, y = normal(80, 6, 0) @ normal(6, 6, 1), normal(90, 6, 2, mean=0.3)
  s1, s2 = np.cov(x.T), np.cov(y.T)
  root = np.real(scipy.linalg.sqrtm(s1 @ s2))
  want = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(s1 + s2 - 2 * root)
  assert frechet(x, y) == pytest.approx(want, rel=1e-8)
  assert frechet(x, y) == pytest.approx(frechet(y, x), rel=1e-8)


def test_frechet_distance_of_fewer_images_than_features():
  x = normal(20, 50, 0)
  assert frechet(x, x) == pytest.approx(0, abs=1e-4)
  y = normal(30, 50, 1, mean=0.5, std=2.0)
  s1, s2 = np.cov(x.T), np.cov(y.T)
  eigenvalues = np.real(np.linalg.eigvals(s1 @ s2))
  cross = np.sqrt(np.maximum(eigenvalues, 0)).sum()
  shift = ((x.mean(0) - y.mean(0)) ** 2).sum()
  want = shift + np.trace(s1 + s2) - 2 * cross
  assert frechet(x, y) == pytest.approx(want, rel=1e-6)


def test_frechet_distance_does_not_change_with_unused_features():
  """Constant features make the sets wide: the other way to compute it."""
  x, y = normal(30, 6, 0), normal(40, 6, 1, mean=0.3, std=1.5)
  wide = [np.pad(features, ((0, 0), (0, 60))) for features in (x, y)]
  assert frechet(*wide) == pytest.approx(frechet(x, y), rel=1e-8)


def test_kid_is_unbiased_and_sees_a_shift():
  same = [kid(normal(60, 8, i), normal(60, 8, 100 + i)) for i in range(60)]
  error = np.std(same) / np.sqrt(len(same))
  assert abs(np.mean(same)) < 3 * error
  assert kid(normal(400, 8, 0), normal(400, 8, 1, mean=0.5)) > 10 * error


def test_kid_of_known_points():
  """Written out for two sets of two numbers."""
  x, y = np.array([[0.0], [1.0]]), np.array([[2.0], [-1.0]])
  k = lambda a, b: (a * b + 1) ** 3  # noqa: E731
  cross = sum(k(a, b) for a in (0, 1) for b in (2, -1)) / 4
  want = k(0, 1) + k(2, -1) - 2 * cross
  assert kid(x, y) == pytest.approx(want)


def test_an_interval_holds_what_it_should():
  """The distance of large sets lies in most intervals of small ones."""
  shift = 0.7
  want, held = 4 * shift**2, 0
  for i in range(20):
    x, y = normal(300, 4, i), normal(300, 4, 500 + i, mean=shift)
    low, high = interval(frechet, x, y, seed=i)
    assert low < frechet(x, y) < high
    held += low - 0.02 < want < high + 0.02
  assert held >= 15


@pytest.mark.parametrize("k", [3, 5])
def test_equal_distributions_have_the_expected_density_and_coverage(k):
  """Naeem et al. 2020, section 3.3: 1, and 1 minus the chance that all k
  nearest are of one's own set."""
  n = 400
  found = [
    manifold(normal(n, 16, i), normal(n, 16, 90 + i), neighbors=k)
    for i in range(8)
  ]
  want = 1 - math.prod((n - j) / (2 * n - j) for j in range(1, k + 1))
  assert np.mean([x.density for x in found]) == pytest.approx(1, abs=0.05)
  assert np.mean([x.coverage for x in found]) == pytest.approx(want, abs=0.02)


def test_precision_and_recall_tell_collapse_from_noise():
  real = normal(300, 4, 0)
  collapsed = manifold(real, normal(300, 4, 1, std=0.2))
  assert collapsed.precision > 0.95 and collapsed.recall < 0.4
  spread = manifold(real, normal(300, 4, 2, std=4.0))
  assert spread.precision < 0.4 and spread.recall > 0.8
  far = manifold(real, normal(300, 4, 3, mean=20.0))
  assert far == (0, 0, 0, 0)


def test_diversity_is_the_mean_distance():
  assert diversity(np.array([[0.0], [1.0], [3.0]])) == pytest.approx(2)
