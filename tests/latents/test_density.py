import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import rng
from jaxgen.errors import UserError
from jaxgen.latents import density


def gaussian_bank(n=4000, seed=0):
  generator = np.random.default_rng(seed)
  mixing = np.array([[2.0, 0.0, 0.0], [1.0, 0.5, 0.0], [0.0, 0.3, 0.1]])
  return generator.normal(size=(n, 3)) @ mixing.T + [1.0, -2.0, 3.0]


def keys(n):
  return rng.per_sample(rng.stream(0, "test"), jnp.arange(n))


@pytest.mark.parametrize("method", ["gaussian", "gmm", "perturb"])
def test_draws_have_the_mean_and_the_covariance_of_the_bank(method):
  """Half the standard deviation, or a diagonal covariance, would fail."""
  bank = gaussian_bank()
  drawn = np.asarray(
    density.draw(density.fit(bank, method), method, keys(20000))
  )
  np.testing.assert_allclose(drawn.mean(0), bank.mean(0), atol=0.08)
  expected = np.cov(bank.T)
  np.testing.assert_allclose(
    np.cov(drawn.T), expected, atol=0.05 * np.trace(expected)
  )


def test_a_mixture_finds_its_clusters_and_one_gaussian_does_not():
  generator = np.random.default_rng(0)
  centres = np.array([[-5.0, 0.0], [5.0, 0.0]])
  bank = centres[generator.integers(2, size=2000)]
  bank = bank + generator.normal(size=(2000, 2)) * 0.3
  between = {}
  for method in ("gaussian", "gmm"):
    drawn = density.draw(density.fit(bank, method), method, keys(4000))
    between[method] = float(np.mean(np.abs(drawn[:, 0]) < 3))
  assert between["gmm"] < 0.01 < 0.2 < between["gaussian"]


def test_interpolation_lies_between_two_members_of_the_bank():
  """Four points on a circle: arcs stay on it, straight lines would not."""
  angles = np.array([0.0, 1.0, 2.0, 3.0]) * np.pi / 2
  bank = np.stack([np.cos(angles), np.sin(angles)], 1)
  prior = density.fit(bank, "interpolate")
  drawn = np.asarray(density.draw(prior, "interpolate", keys(500)))
  opposite = np.linalg.norm(drawn, axis=1) < 0.99  # no arc between antipodes
  assert opposite.mean() < 0.5
  on_arc = np.arctan2(drawn[~opposite, 1], drawn[~opposite, 0])
  assert np.unique(on_arc.round(3)).size > 200


def test_image_i_does_not_depend_on_the_batch():
  prior = density.fit(gaussian_bank(), "gaussian")
  many = density.draw(prior, "gaussian", keys(16))
  few = density.draw(prior, "gaussian", keys(16)[5:7])
  np.testing.assert_allclose(many[5:7], few, rtol=1e-6)


def test_fewer_latents_than_dimensions_still_give_a_prior():
  bank = np.random.default_rng(0).normal(size=(20, 64))
  for method in density.DRAWS:
    drawn = density.draw(density.fit(bank, method), method, keys(50))
    assert jnp.isfinite(drawn).all() and jnp.std(drawn) > 0.3
  with pytest.raises(UserError, match="two images"):
    density.fit(bank[:1], "gaussian")


@pytest.mark.parametrize("method", ["gaussian", "gmm"])
def test_wide_latents_keep_mean_and_covariance(method, monkeypatch):
  """More numbers than are modelled, on a plane: nothing is lost."""
  monkeypatch.setattr(density, "WIDE", 50)
  generator = np.random.default_rng(0)
  basis = generator.normal(size=(3, density.WIDE + 100)) / 20
  bank = 5 + gaussian_bank() @ basis
  prior = density.fit(bank, method)
  drawn = np.asarray(density.draw(prior, method, keys(4000)))
  np.testing.assert_allclose(drawn.mean(0), bank.mean(0), atol=0.05)
  back = np.linalg.pinv(basis)
  expected = np.cov((bank @ back).T)
  np.testing.assert_allclose(
    np.cov((drawn @ back).T), expected, atol=0.1 * np.trace(expected)
  )


def test_slerp_turns_evenly_and_ends_where_it_should():
  a, b = jnp.array([1.0, 0.0, 0.0]), jnp.array([0.0, 2.0, 0.0])
  np.testing.assert_allclose(density.slerp(a, b, 0.0), a, atol=1e-6)
  np.testing.assert_allclose(density.slerp(a, b, 1.0), b, atol=1e-6)
  third = density.slerp(a, b, 1 / 3)
  assert np.degrees(np.arctan2(third[1], third[0])) == pytest.approx(
    30, abs=0.1
  )
  assert jnp.linalg.norm(third) == pytest.approx(4 / 3, abs=1e-5)
  centre = jnp.array([3.0, 3.0, 3.0])
  np.testing.assert_allclose(
    density.slerp(a + centre, b + centre, 1 / 3, centre), third + centre, 1e-5
  )


def test_slerp_of_equal_or_parallel_vectors_is_a_straight_line():
  a = jnp.array([1.0, 2.0])
  np.testing.assert_allclose(density.slerp(a, a, 0.3), a, atol=1e-6)
  np.testing.assert_allclose(density.slerp(a, 3 * a, 0.5), 2 * a, atol=1e-5)
  gradient = jax.grad(lambda t: density.slerp(a, a, t).sum())(0.5)
  assert jnp.isfinite(gradient)


def test_wide_latents_are_modelled_in_their_principal_subspace(monkeypatch):
  """The Gram matrix gives what an SVD would."""
  monkeypatch.setattr(density, "WIDE", 8)
  generator = np.random.default_rng(0)
  bank = generator.normal(size=(60, 8)) @ generator.normal(size=(8, 40)) + 5
  prior = density.fit(bank, "gaussian")
  assert prior.basis.shape == (8, 40)
  np.testing.assert_allclose(prior.basis @ prior.basis.T, np.eye(8), atol=1e-4)
  drawn = np.asarray(density.draw(prior, "gaussian", keys(20000)))
  expected = np.cov(bank.T)
  assert (
    np.abs(np.cov(drawn.T) - expected).max() < 0.4 * np.diag(expected).max()
  )
  np.testing.assert_allclose(drawn.mean(0), bank.mean(0), atol=0.15)
  np.testing.assert_allclose(  # nothing leaves the subspace
    drawn - prior.centre,
    (drawn - prior.centre) @ prior.basis.T @ prior.basis,
    atol=1e-3,
  )


def test_latents_that_are_all_the_same_are_drawn_again(monkeypatch):
  for wide in (2, 512):
    monkeypatch.setattr(density, "WIDE", wide)
    prior = density.fit(np.full((30, 5), 2.0), "gaussian")
    drawn = density.draw(prior, "gaussian", keys(8))
    np.testing.assert_allclose(drawn, 2.0, atol=1e-3)
