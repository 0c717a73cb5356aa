"""Noise models of measurements."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from support.arrays import noise

from jaxgen.restoration.noise import GaussianNoise

SHAPE = (3, 4, 5, 2)


@pytest.mark.parametrize(
  "variance", [0.25, jnp.exp(noise((1, 4, 1, 2), 2)), jnp.exp(noise(SHAPE, 3))]
)
def test_the_likelihood_is_that_of_independent_gaussians(variance):
  y, mean = noise(SHAPE), noise(SHAPE, 1)
  found = GaussianNoise(variance=variance).log_likelihood(y, mean)
  each = scipy.stats.norm.logpdf(y, mean, np.sqrt(variance))
  np.testing.assert_allclose(found, each.sum((1, 2, 3)), rtol=1e-5)


@pytest.mark.parametrize("variance", [0.01, 1.0, 7.0])
def test_the_likelihood_integrates_to_one(variance):
  """Over all values that may be measured, whatever the mean."""
  y = jnp.linspace(-30, 30, 60_001)[:, None]
  model = GaussianNoise(variance=variance)
  density = jnp.exp(model.log_likelihood(y, jnp.full_like(y, 0.7)))
  assert np.trapezoid(density, y[:, 0]) == pytest.approx(1, abs=1e-4)
