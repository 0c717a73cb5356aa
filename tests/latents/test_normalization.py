"""Normalization of latents: moments of held-out ones, and the inverse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.latents import normalization

SIGMA_DATA = 0.5
SHAPES = {"vector": (1, 1, 8), "tokens": (2, 3, 8), "image": (4, 4, 8)}
WAYS = [(kind, "channel") for kind in SHAPES] + [("vector", "whiten")]
EACH = pytest.mark.parametrize(("kind", "method"), WAYS)


def draw(kind, *, seed, positions=60_000):
  """Correlated channels, with standard deviations from 0.01 to 10; their
  moments are known to 0.3%."""
  shape = SHAPES[kind]
  num = positions // (shape[0] * shape[1])
  generator = np.random.default_rng(seed)
  correlation = 0.6 ** np.abs(np.subtract.outer(np.arange(8), np.arange(8)))
  root = np.linalg.cholesky(correlation)
  z = generator.normal(size=(num, *shape)) @ root.T
  z = z * np.geomspace(0.01, 10, 8) + np.arange(8)
  return z.astype(np.float32)


def channels(z):
  return np.asarray(z, np.float64).reshape(-1, z.shape[-1])


@EACH
def test_held_out_latents_have_mean_0_and_the_deviation_of_the_data(
  kind, method
):
  fitted = normalization.fit(draw(kind, seed=0), method, sigma_data=SIGMA_DATA)
  x = channels(fitted.normalize(jnp.asarray(draw(kind, seed=1))))
  np.testing.assert_allclose(x.mean(0), 0, atol=0.02)
  np.testing.assert_allclose(x.std(0), SIGMA_DATA, rtol=0.02)


@EACH
def test_one_direction_undoes_the_other(kind, method):
  fitted = normalization.fit(draw(kind, seed=0), method, sigma_data=SIGMA_DATA)
  z = jnp.asarray(draw(kind, seed=1, positions=960))
  x = jax.jit(normalization.Normalization.normalize)(fitted, z)
  back = jax.jit(normalization.Normalization.denormalize)(fitted, x)
  assert x.shape == back.shape == z.shape and back.dtype == jnp.float32
  largest = jnp.abs(z).max()
  np.testing.assert_allclose(back / largest, z / largest, atol=1e-5)
  again = fitted.normalize(fitted.denormalize(x))
  np.testing.assert_allclose(again, x, atol=1e-3)  # from 0.01 beside 10


def test_whitened_latents_are_uncorrelated():
  fitted = normalization.fit(
    draw("vector", seed=0), "whiten", sigma_data=SIGMA_DATA
  )
  x = channels(fitted.normalize(jnp.asarray(draw("vector", seed=1))))
  expected = SIGMA_DATA**2 * np.eye(8)
  np.testing.assert_allclose(np.cov(x.T), expected, atol=0.05 * SIGMA_DATA**2)
  unit = np.asarray(fitted.backward) / draw("vector", seed=0).std((0, 1, 2))
  scales = np.linalg.norm(unit, axis=1)
  assert (np.diff(scales) <= 0).all()  # principal components, largest first


def test_each_channel_is_scaled_by_itself():
  z = draw("image", seed=0)
  fitted = normalization.fit(z, "channel", sigma_data=SIGMA_DATA)
  expected = SIGMA_DATA * (z - z.mean((0, 1, 2))) / z.std((0, 1, 2))
  x = fitted.normalize(jnp.asarray(z[:50]))
  np.testing.assert_allclose(x, expected[:50], atol=1e-3)
  off = ~np.eye(8, dtype=bool)
  assert not np.asarray(fitted.forward)[off].any()


@pytest.mark.parametrize("method", ["channel", "whiten"])
def test_a_constant_channel_is_its_mean(method):
  z = draw("vector", seed=0)
  z[..., 3] = 7.1
  fitted = normalization.fit(z, method, sigma_data=SIGMA_DATA)
  assert all(np.isfinite(x).all() for x in jax.tree.leaves(fitted))
  x = fitted.normalize(jnp.asarray(z[:100]))
  back = fitted.denormalize(x)
  np.testing.assert_allclose(back, z[:100], atol=1e-4)
  noise = np.random.default_rng(5).normal(size=x.shape).astype(np.float32)
  new = fitted.denormalize(jnp.asarray(noise))
  np.testing.assert_array_equal(new[..., 3], np.float32(7.1))
  if method == "channel":
    assert not np.asarray(x)[..., 3].any()


def test_few_latents_of_many_channels_have_a_covariance():
  """Ledoit and Wolf shrink it, so that no direction is without variance."""
  z = np.random.default_rng(0).normal(size=(20, 1, 1, 64)).astype(np.float32)
  fitted = normalization.fit(z, "whiten", sigma_data=SIGMA_DATA)
  x = fitted.normalize(jnp.asarray(z))
  assert jnp.abs(x).max() < 10 * SIGMA_DATA
  np.testing.assert_allclose(fitted.denormalize(x), z, atol=1e-4)


def test_the_order_of_images_does_not_matter_and_directions_have_one_sign():
  z = draw("vector", seed=0)
  one = normalization.fit(z, "whiten", sigma_data=SIGMA_DATA)
  two = normalization.fit(z[::-1].copy(), "whiten", sigma_data=SIGMA_DATA)
  directions = np.asarray(one.forward) * z.std((0, 1, 2))[:, None]
  largest = np.abs(directions).argmax(0)
  assert (directions[largest, np.arange(8)] > 0).all()
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3),
    one,
    two,
  )


@pytest.mark.parametrize("kind", ["tokens", "image"])
def test_only_vectors_are_whitened(kind):
  with pytest.raises(UserError, match="latent.normalize=whiten") as error:
    normalization.fit(
      draw(kind, seed=0, positions=960), "whiten", sigma_data=1.0
    )
  assert str(SHAPES[kind]) in str(error.value)


@pytest.mark.parametrize("method", ["channel", "whiten"])
def test_a_codec_that_encodes_nothing_is_refused(method):
  z = np.full((50, 1, 1, 8), 0.3, np.float32)
  with pytest.raises(UserError, match="latent.run"):
    normalization.fit(z, method, sigma_data=SIGMA_DATA)
