"""Closed-form denoisers against numerical integration and Tweedie's formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.diffusion import analytic

X = np.linspace(-3, 3, 24, dtype=np.float32).reshape(2, 3, 4, 1)
SIGMA = np.array([0.3, 2.0], np.float32)
MEANS, STD, WEIGHTS = (-1.0, 0.5, 2.0), 0.2, (0.2, 0.5, 0.3)


def posterior_mean(density):
  """E[clean | x] of independent pixels, by quadrature."""
  clean = np.linspace(-8, 8, 20001)
  spread = SIGMA.reshape(2, 1, 1, 1, 1)
  joint = density(clean) * np.exp(
    -((X[..., None] - clean) ** 2) / 2 / spread**2
  )
  return (joint * clean).sum(-1) / joint.sum(-1)


def mixture_density(clean):
  offsets = (clean[:, None] - np.array(MEANS)) / STD
  return np.exp(-(offsets**2) / 2) @ np.array(WEIGHTS)


def test_the_gaussian_denoiser_is_the_posterior_mean():
  want = posterior_mean(lambda c: np.exp(-((c - 0.4) ** 2) / 2 / 0.7**2))
  found = analytic.gaussian(0.4, 0.7)(jnp.asarray(X), jnp.asarray(SIGMA))
  np.testing.assert_allclose(found, want, atol=1e-5)


def test_the_denoiser_of_a_mixture_is_the_posterior_mean():
  denoise = analytic.mixture(MEANS, STD, WEIGHTS)
  found = denoise(jnp.asarray(X), jnp.asarray(SIGMA))
  np.testing.assert_allclose(found, posterior_mean(mixture_density), atol=1e-4)


def test_correlated_rows_are_the_conditional_mean_of_a_joint_gaussian():
  factor = np.random.default_rng(0).normal(size=(4, 4))
  covariance = factor @ factor.T / 4
  x = jnp.asarray(X)
  found = analytic.correlated(covariance)(x, jnp.asarray(SIGMA))
  for b, sigma in enumerate(SIGMA):
    gain = covariance @ np.linalg.inv(covariance + sigma**2 * np.eye(4))
    want = np.einsum("ij,hjc->hic", gain, X[b])
    np.testing.assert_allclose(found[b], want, atol=1e-5)


def test_the_score_is_tweedies():
  """(D - x) / sigma^2 is the gradient of the log density of noisy pixels."""
  denoise = analytic.mixture(MEANS, STD, WEIGHTS)

  def log_density(x):
    variance = STD**2 + jnp.asarray(SIGMA).reshape(2, 1, 1, 1, 1) ** 2
    offsets = x[..., None] - jnp.asarray(MEANS).reshape(1, 1, 1, 1, 3)
    weights = jnp.log(jnp.asarray(WEIGHTS)).reshape(1, 1, 1, 1, 3)
    logits = weights - offsets**2 / (2 * variance)
    return jnp.sum(jax.nn.logsumexp(logits, axis=-1))

  x, sigma = jnp.asarray(X), jnp.asarray(SIGMA)
  score = (denoise(x, sigma) - x) / sigma.reshape(2, 1, 1, 1) ** 2
  np.testing.assert_allclose(score, jax.grad(log_density)(x), atol=1e-3)


@pytest.mark.parametrize("sigma", [0.5, 5.0])
def test_the_flow_of_a_mixture_keeps_quantiles(sigma):
  """Noisy pixels end as pixels of the mixture: here each at its own quantile,
  counted over exact draws."""
  rng = np.random.default_rng(1)
  clean = rng.choice((-1.0, 1.0), 4000) + 0.3 * rng.normal(size=4000)
  noisy = clean + sigma * rng.normal(size=4000)
  ends = analytic.mixture_flow(noisy, sigma, means=(-1.0, 1.0), std=0.3)
  levels = np.linspace(0.05, 0.95, 10)
  expected = analytic.mixture_flow(
    np.quantile(noisy, levels), sigma, means=(-1.0, 1.0), std=0.3
  )
  np.testing.assert_allclose(np.quantile(ends, levels), expected, atol=5e-3)
  assert np.abs(ends.var() - (1 + 0.3**2)) < 0.06
