"""Counts at a lower resolution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.restoration import binning, operators, poisson_gaussian


def test_sums_have_the_model_they_are_given():
  """Mean and variance of sums are those that the binned model says."""
  rate = jnp.full((1, 128, 128, 1), 7.0)
  counts = poisson_gaussian.simulate(jax.random.key(0), rate, read_noise=2.0)
  found = binning.bin_counts(counts, 4, scale=3.0, offset=7.0, read_noise=2.0)
  assert found.counts.shape == (1, 32, 32, 1)
  assert np.allclose(found.scale, 48) and np.allclose(found.offset, 112)
  assert np.allclose(found.read_noise, 8)
  assert float(found.counts.mean()) == pytest.approx(112, rel=0.02)
  variance = float(found.counts.var())
  assert variance == pytest.approx(112 + 64, rel=0.15)


def test_values_in_units_of_the_image_are_means():
  x = jax.random.uniform(jax.random.key(1), (2, 8, 8, 3), minval=-1)
  found = binning.bin_counts(
    5 * x + 6, 2, scale=5.0, offset=6.0, read_noise=1.0
  )
  values = (found.counts - found.offset) / found.scale
  mean = operators.downsampling(2).apply(x)
  np.testing.assert_allclose(values, mean, atol=1e-5)


def test_unseen_pixels_are_left_out_of_sums():
  x = np.ones((1, 4, 4, 1), np.float32)
  x[0, 0, 0], x[0, 2:, 2:] = np.nan, np.nan
  found = binning.bin_counts(
    jnp.asarray(x), 2, scale=2.0, offset=1.0, read_noise=1.0
  )
  assert found.counts[0, :, :, 0].tolist()[0] == [3.0, 4.0]
  assert found.scale[0, :, :, 0].tolist() == [[6.0, 8.0], [8.0, 8.0]]
  assert np.isnan(found.counts[0, 1, 1, 0])
  for values in found[1:]:
    assert np.isfinite(values).all()


def test_enlarging_keeps_place_and_mean():
  ramp = jnp.linspace(-1, 1, 32)[None, :, None, None] * jnp.ones((1, 32, 32, 1))
  small = operators.downsampling(2).apply(ramp)
  inner = binning.enlarge(small, 2)[:, 8:-8] - ramp[:, 8:-8]
  assert float(jnp.abs(inner).max()) < 0.1 * 2 / 31


def test_sides_that_do_not_divide_are_named():
  with pytest.raises(ValueError, match="counts"):
    binning.bin_counts(
      jnp.ones((1, 6, 8, 1)), 4, scale=1.0, offset=1.0, read_noise=1.0
    )
