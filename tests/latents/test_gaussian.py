"""Whitening of latents, and the denoiser of their Gaussian."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.latents import mixture
from jaxgen.latents.gaussian import fit_denoiser, fit_whitening


def mixed(shape, seed=0):
  """Correlated Gaussian values with a mean."""
  rng = np.random.default_rng(seed)
  d = shape[-1]
  mix = rng.normal(size=(d, d))
  return (rng.normal(size=shape) @ mix + 3).astype(np.float32)


@pytest.mark.parametrize("shape", [(500, 5), (100, 4, 4, 3)])
def test_whitened_channels_are_uncorrelated_and_come_back(shape):
  latents = mixed(shape)
  whitening = fit_whitening(latents, std=0.5)
  white = whitening.whiten(latents)
  flat = white.reshape(-1, shape[-1]).astype(np.float64)
  np.testing.assert_allclose(flat.mean(0), 0, atol=1e-5)
  covariance = flat.T @ flat / len(flat)
  np.testing.assert_allclose(covariance, 0.25 * np.eye(shape[-1]), atol=1e-4)
  np.testing.assert_allclose(whitening.unwhiten(white), latents, atol=1e-3)


def test_a_constant_channel_stays_finite():
  latents = mixed((100, 4)) * np.array([1, 1, 0, 1], np.float32)
  whitening = fit_whitening(latents, std=0.5)
  assert np.isfinite(whitening.whiten(latents)).all()
  constant = fit_whitening(np.ones((9, 2), np.float32), std=0.5)
  assert not constant.whiten(np.ones((9, 2), np.float32)).any()


def test_the_denoiser_is_the_posterior_mean():
  latents = mixed((20_000, 5))
  denoise = fit_denoiser(latents[:, None, None])
  x = jnp.asarray(mixed((7, 5), 1)[:, None, None])
  for sigma in (0.1, 2.0):
    found = denoise(x, jnp.full(7, sigma))[:, 0, 0]
    covariance, mean = np.cov(latents.T), latents.mean(0)
    gain = covariance @ np.linalg.inv(covariance + sigma**2 * np.eye(5))
    wanted = mean + (np.asarray(x[:, 0, 0]) - mean) @ gain.T
    np.testing.assert_allclose(found, wanted, atol=0.02)


def test_beyond_the_rank_variance_is_the_same_in_all_directions(monkeypatch):
  """Latents of two wide axes and three narrow ones."""
  monkeypatch.setattr(mixture, "MAX_RANK", 2)
  scale = np.array([3, 2, 0.5, 0.5, 0.5], np.float32)
  values = np.random.default_rng(0).normal(size=(20_000, 5)) * scale
  denoise = fit_denoiser(values.astype(np.float32)[:, None, None])
  found = denoise(jnp.ones((1, 1, 1, 5)), jnp.ones(1))[0, 0, 0]
  np.testing.assert_allclose(found, scale**2 / (scale**2 + 1), atol=0.02)
