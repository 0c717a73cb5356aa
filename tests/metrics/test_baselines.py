import numpy as np
import pytest

from jaxgen.metrics.baselines import mean_image, pca


def low_rank(n, rank, shape, rng):
  basis = rng.normal(size=(rank, *shape))
  return 0.3 + np.einsum("nr,rhwc->nhwc", rng.normal(size=(n, rank)), basis)


@pytest.mark.parametrize("shape", [(6, 6, 1), (40, 40, 3)])
def test_pca_is_exact_on_images_of_its_rank_and_not_below(shape):
  """Both solvers: exact for small images, randomised for large ones."""
  rng = np.random.default_rng(0)
  images = low_rank(60, 5, shape, rng).astype(np.float32)
  train, test = images[:40], images[40:]
  error = lambda k: np.mean((pca(train, k)(test) - test) ** 2)  # noqa: E731
  assert error(5) < 1e-6 < 1e-2 < error(4)


def test_pca_beats_every_other_linear_autoencoder_on_its_training_images():
  rng = np.random.default_rng(0)
  x = rng.normal(size=(200, 4, 4, 1)) * np.linspace(1, 3, 16).reshape(4, 4, 1)
  x = x.astype(np.float32)
  best = np.mean((pca(x, 3)(x) - x) ** 2)
  flat = x.reshape(200, 16) - x.reshape(200, 16).mean(0)
  for _ in range(20):
    q, _ = np.linalg.qr(rng.normal(size=(16, 3)))
    assert best < np.mean((flat @ q @ q.T - flat) ** 2)


def test_mean_image_is_the_best_constant():
  x = np.random.default_rng(0).normal(size=(50, 4, 4, 1)).astype(np.float32)
  rebuilt = mean_image(x)(x)
  assert rebuilt.shape == x.shape
  np.testing.assert_allclose(rebuilt[7], x.mean(0), atol=1e-6)
