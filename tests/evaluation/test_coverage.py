"""Coverage and intervals, of samples whose posterior is known."""

import numpy as np
import pytest

from jaxgen.evaluation import coverage, image_bootstrap


def drawn(samples, *, narrow=1.0, tiles=12):
  """Samples of a normal posterior and truths of it."""
  rng = np.random.default_rng(0)
  truths = rng.normal(size=(tiles, 32, 32, 1))
  return narrow * rng.normal(size=(samples, *truths.shape)), truths


@pytest.mark.parametrize("samples", [2, 4, 16])
def test_intervals_of_right_samples_cover_what_they_claim(samples):
  found = coverage.spread(*drawn(samples))
  for level in coverage.LEVELS:
    share = coverage.covered(found, level).mean()
    assert share == pytest.approx(level, abs=0.02)
  assert found.errors.sum() / found.variances.sum() == pytest.approx(1, abs=0.1)


def test_ranks_of_right_samples_are_equally_frequent():
  ranks = coverage.spread(*drawn(7)).ranks.sum(0)
  np.testing.assert_allclose(ranks / ranks.sum(), 1 / 8, atol=0.01)


def test_a_factor_mends_samples_that_are_alike():
  found = coverage.spread(*drawn(8, narrow=0.5))
  assert coverage.covered(found, 0.68).mean() < 0.5
  groups = np.arange(12) // 2
  factor = coverage.factors(found, groups)
  assert coverage.covered(found, 0.68, factor).mean() == pytest.approx(
    0.68, abs=0.02
  )


def test_ranks_of_equal_values_are_drawn():
  samples, truths = np.zeros((3, 4, 32, 32, 1)), np.zeros((4, 32, 32, 1))
  ranks = coverage.spread(samples, truths).ranks.sum(0)
  np.testing.assert_allclose(ranks / ranks.sum(), 1 / 4, atol=0.03)


def test_intervals_by_image_are_those_of_the_images():
  """Tiles of an image that are equal tell no more than one."""
  values = np.random.default_rng(0).normal(size=40)
  one = image_bootstrap.interval(
    lambda w: image_bootstrap.mean(values, w),
    image_bootstrap.draws(np.arange(40)),
  )
  many = image_bootstrap.interval(
    lambda w: image_bootstrap.mean(values.repeat(9), w),
    image_bootstrap.draws(np.arange(40).repeat(9)),
  )
  np.testing.assert_allclose(one, many)
  error = values.std() / 40**0.5
  assert (one[2] - one[1]) / 2 == pytest.approx(1.96 * error, rel=0.15)
