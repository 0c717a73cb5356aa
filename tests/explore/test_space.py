"""The space of an explorer's sliders."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from jaxgen.explore import space


@pytest.fixture(scope="module")
def known():
  rng = np.random.default_rng(0)
  scales = np.r_[5.0, 3.0, np.full(18, 0.5)]
  return space.fit(2 + rng.normal(size=(400, 4, 5)) * scales.reshape(4, 5))


def test_components_are_orthonormal_and_the_mean_is_their_origin(known):
  inner = known.components @ known.components.T
  np.testing.assert_allclose(inner, np.eye(space.COMPONENTS), atol=1e-9)
  np.testing.assert_allclose(known.mean, known.bank.mean(0), atol=1e-9)
  np.testing.assert_allclose(known.coordinates(known.mean), 0, atol=1e-9)


def test_training_latents_have_mean_0_and_deviation_1_along_them(known):
  found = known.coordinates(known.bank)
  np.testing.assert_allclose(found.mean(0), 0, atol=1e-9)
  np.testing.assert_allclose(found.std(0, ddof=1), 1, rtol=1e-6)
  assert (np.diff(known.shares) <= 0).all()


def test_a_slider_moves_a_latent_along_its_component_only(known):
  latent = known.bank[7]
  at = known.coordinates(latent)
  np.testing.assert_allclose(known.moved(latent, at), latent, atol=1e-9)
  asked = at + np.eye(len(at))[1]
  moved = known.moved(latent, asked)
  np.testing.assert_allclose(known.coordinates(moved), asked, atol=1e-9)
  along = (moved - latent) @ known.components[1]
  assert np.linalg.norm(moved - latent) == pytest.approx(along)


def test_scores_are_those_of_scikit_learn(known):
  pca = PCA(6, random_state=0).fit(known.bank)
  expected = pca.score_samples(known.bank)
  found = space.scores(pca, known.bank)
  np.testing.assert_allclose(
    found - found[0], expected - expected[0], rtol=1e-6
  )


def test_how_usual_a_latent_is(known):
  """A uniform rank of training latents; nothing far away, nor off the
  components."""
  ranks = sorted(known.usual(x) for x in known.bank)
  np.testing.assert_allclose(ranks, np.arange(400) / 400, atol=1.01 / 400)
  assert known.usual(known.mean) == 1
  assert (
    known.usual(known.mean + 9 * known.deviations[0] * known.components[0]) == 0
  )


def test_the_nearest_latent_is_itself(known):
  found = known.nearest(known.bank[11], 3)
  np.testing.assert_array_equal(found[0], known.bank[11])
  distances = np.linalg.norm(known.bank - known.bank[11], axis=1)
  farthest = np.linalg.norm(found[2] - known.bank[11])
  assert (distances < farthest).sum() == 2


def test_directions_of_attributes():
  latents = np.array([[0.0, 0], [2, 0], [0, 3], [0, 5]])
  values = np.array([0, 0, 1, 1])
  found = space.directions(latents, values, ("a", "b", "none"))
  assert found.keys() == {"a", "b"}
  np.testing.assert_allclose(found["a"], [1, -4])
  np.testing.assert_allclose(found["b"], [-1, 4])


def test_two_latents_are_enough():
  found = space.fit(np.array([[0.0, 1], [2, 1]]))
  assert found.components.shape == (1, 2)
  assert 0 <= found.usual(found.mean) <= 1
