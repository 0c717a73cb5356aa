import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.losses.reconstruction import RECONSTRUCTION, log_mse, mse
from jaxgen.metrics.images import similarity


@pytest.mark.parametrize("name", sorted(RECONSTRUCTION))
def test_a_distance_is_per_image_and_least_at_the_image(name):
  distance = RECONSTRUCTION[name]
  x, y = jax.random.uniform(jax.random.key(0), (2, 4, 8, 8, 3))
  values = distance(x, y)
  assert values.shape == (4,)
  assert (values > distance(y, y)).all()
  np.testing.assert_allclose(distance(x[:1], y[:1]), values[:1], rtol=1e-6)


def test_log_mse_is_psnr_up_to_a_constant():
  x, y = jax.random.uniform(jax.random.key(0), (2, 4, 8, 8, 3), minval=-1)
  psnr = similarity(x, y)["psnr"]
  mine = -10 / np.log(10) * log_mse(x, y, floor=0.0)
  np.testing.assert_allclose(mine - psnr, -10 * np.log10(4), atol=1e-3)


def test_log_mse_weighs_images_by_their_relative_error():
  """A tenth more error costs the same on an easy and on a hard image."""
  x = jnp.zeros((2, 8, 8, 1))
  y = x + jnp.array([0.05, 0.5]).reshape(2, 1, 1, 1)
  rise = log_mse(1.1 * y, x) - log_mse(y, x)
  assert rise[0] == pytest.approx(float(rise[1]), rel=0.01)
  rise = mse(1.1 * y, x) - mse(y, x)
  assert rise[1] > 50 * rise[0]


def test_a_perfect_image_has_a_finite_gradient():
  x = jnp.zeros((1, 4, 4, 1))
  for distance in RECONSTRUCTION.values():
    gradient = jax.grad(lambda y, d=distance: d(y, x).sum())(x)
    assert jnp.isfinite(gradient).all()
