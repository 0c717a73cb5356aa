import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import rng
from jaxgen.latents import density, mixture


def correlated_latents(n=4000, seed=0):
  generator = np.random.default_rng(seed)
  mixing = np.array([[2.0, 0.0, 0.0], [1.0, 0.5, 0.0], [0.0, 0.3, 0.1]])
  return generator.normal(size=(n, 3)) @ mixing.T + [1.0, -2.0, 3.0]


def keys(n):
  return rng.per_sample(rng.stream(0, "test"), jnp.arange(n))


@pytest.mark.parametrize("method", ["gaussian", "gmm", "perturb"])
def test_draws_have_the_mean_and_the_covariance_of_the_latents(method):
  """Half the standard deviation, or a diagonal covariance, would fail."""
  latents = correlated_latents()
  drawn = np.asarray(
    density.draw(density.fit(latents, method), method, keys(20000))
  )
  np.testing.assert_allclose(drawn.mean(0), latents.mean(0), atol=0.08)
  expected = np.cov(latents.T)
  np.testing.assert_allclose(
    np.cov(drawn.T), expected, atol=0.05 * np.trace(expected)
  )


def test_a_mixture_finds_its_clusters_and_one_gaussian_does_not():
  generator = np.random.default_rng(0)
  centers = np.array([[-5.0, 0.0], [5.0, 0.0]])
  latents = centers[generator.integers(2, size=2000)]
  latents = latents + generator.normal(size=(2000, 2)) * 0.3
  between = {}
  for method in ("gaussian", "gmm"):
    drawn = density.draw(density.fit(latents, method), method, keys(4000))
    between[method] = float(np.mean(np.abs(drawn[:, 0]) < 3))
  assert between["gmm"] < 0.01 < 0.2 < between["gaussian"]


def test_interpolation_lies_between_two_members_of_the_latents():
  """Four points on a circle: arcs stay on it, straight lines would not."""
  angles = np.array([0.0, 1.0, 2.0, 3.0]) * np.pi / 2
  latents = np.stack([np.cos(angles), np.sin(angles)], 1)
  fitted = density.fit(latents, "interpolate")
  drawn = np.asarray(density.draw(fitted, "interpolate", keys(500)))
  opposite = np.linalg.norm(drawn, axis=1) < 0.99  # no arc between antipodes
  assert opposite.mean() < 0.5
  on_arc = np.arctan2(drawn[~opposite, 1], drawn[~opposite, 0])
  assert np.unique(on_arc.round(3)).size > 200


def test_image_i_does_not_depend_on_the_batch():
  fitted = density.fit(correlated_latents(), "gaussian")
  many = density.draw(fitted, "gaussian", keys(16))
  few = density.draw(fitted, "gaussian", keys(16)[5:7])
  np.testing.assert_allclose(many[5:7], few, rtol=1e-6)


def test_fewer_latents_than_dimensions_still_give_a_density():
  latents = np.random.default_rng(0).normal(size=(20, 64))
  for method in density.DRAWS:
    drawn = density.draw(density.fit(latents, method), method, keys(50))
    assert jnp.isfinite(drawn).all() and jnp.std(drawn) > 0.3
  with pytest.raises(ValueError, match="latents: expected two"):
    density.fit(latents[:1], "gaussian")


@pytest.mark.slow
@pytest.mark.parametrize("method", ["gaussian", "gmm"])
def test_wide_latents_keep_mean_and_covariance(method, monkeypatch):
  """More numbers than are modeled, on a plane: nothing is lost."""
  monkeypatch.setattr(mixture, "MAX_RANK", 50)
  generator = np.random.default_rng(0)
  basis = generator.normal(size=(3, mixture.MAX_RANK + 100)) / 20
  latents = 5 + correlated_latents() @ basis
  fitted = density.fit(latents, method)
  drawn = np.asarray(density.draw(fitted, method, keys(4000)))
  np.testing.assert_allclose(drawn.mean(0), latents.mean(0), atol=0.05)
  back = np.linalg.pinv(basis)
  expected = np.cov((latents @ back).T)
  np.testing.assert_allclose(
    np.cov((drawn @ back).T), expected, atol=0.1 * np.trace(expected)
  )


@pytest.mark.parametrize("shape", [(40, 60), (60, 40)])
def test_principal_coordinates_are_those_of_the_singular_values(
  shape, monkeypatch
):
  """Of fewer latents than dimensions, and of more."""
  monkeypatch.setattr(mixture, "MAX_RANK", 5)
  latents = np.random.default_rng(0).normal(size=shape) * np.arange(shape[1])
  x = mixture.principal_coordinates(latents)
  singular = np.linalg.svd(latents - latents.mean(0), compute_uv=False)
  lengths = np.sqrt(np.square(x.values).sum(0))
  np.testing.assert_allclose(lengths, singular[:5], rtol=1e-9)
  np.testing.assert_allclose(x.basis @ x.basis.T, np.eye(5), atol=1e-9)


def test_latents_that_are_all_the_same_are_drawn_again(monkeypatch):
  for wide in (2, 512):
    monkeypatch.setattr(mixture, "MAX_RANK", wide)
    fitted = density.fit(np.full((30, 5), 2.0), "gaussian")
    drawn = density.draw(fitted, "gaussian", keys(8))
    np.testing.assert_allclose(drawn, 2.0, atol=1e-3)
