"""The subspace in which high-dimensional latents are modeled."""

import jax.numpy as jnp
import numpy as np

from jaxgen import rng
from jaxgen.latents import density, mixture


def keys(n):
  return rng.per_sample(rng.stream(0, "test"), jnp.arange(n))


def test_wide_latents_are_modeled_in_their_principal_subspace(monkeypatch):
  """The Gram matrix gives what an SVD would."""
  monkeypatch.setattr(mixture, "MAX_RANK", 8)
  generator = np.random.default_rng(0)
  latents = generator.normal(size=(60, 8)) @ generator.normal(size=(8, 40)) + 5
  fitted = density.fit(latents, "gaussian")
  assert fitted.basis.shape == (8, 40)
  np.testing.assert_allclose(
    fitted.basis @ fitted.basis.T, np.eye(8), atol=1e-4
  )
  drawn = np.asarray(density.draw(fitted, "gaussian", keys(20000)))
  expected = np.cov(latents.T)
  assert (
    np.abs(np.cov(drawn.T) - expected).max() < 0.4 * np.diag(expected).max()
  )
  np.testing.assert_allclose(drawn.mean(0), latents.mean(0), atol=0.15)
  off, basis = drawn - np.asarray(fitted.center), np.asarray(fitted.basis)
  np.testing.assert_allclose(  # nothing leaves the subspace
    off, off @ basis.T @ basis, atol=1e-3
  )
