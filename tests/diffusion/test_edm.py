import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.diffusion import analytic, edm
from jaxgen.diffusion.edm import per_image

LEVELS = jnp.asarray(np.geomspace(0.002, 80, 50), jnp.float32)


def test_scalings_have_the_values_of_the_paper():
  at_data = edm.scalings(jnp.array([0.5]))
  np.testing.assert_allclose(at_data.c_skip, 0.5, rtol=1e-6)
  np.testing.assert_allclose(at_data.c_out, 0.353553, rtol=1e-5)
  np.testing.assert_allclose(at_data.c_in, 1.414214, rtol=1e-5)
  np.testing.assert_allclose(edm.weight(jnp.array([0.5])), 8, rtol=1e-6)
  at_one = edm.scalings(jnp.array([1.0]))
  np.testing.assert_allclose(at_one.c_skip, 0.2, rtol=1e-6)
  np.testing.assert_allclose(at_one.c_out, 0.447214, rtol=1e-5)
  np.testing.assert_allclose(at_one.c_in, 0.894427, rtol=1e-5)
  np.testing.assert_array_equal(at_one.c_noise, 0)
  np.testing.assert_allclose(edm.weight(jnp.array([1.0])), 5, rtol=1e-6)


def test_the_loss_weight_undoes_the_output_scale():
  for s in (0.3, 0.5, 1.0):
    scale = edm.scalings(LEVELS, s)
    np.testing.assert_allclose(edm.weight(LEVELS, s) * scale.c_out**2, 1, 1e-5)
    unit = scale.c_in**2 * (LEVELS**2 + s**2)  # variance of what F sees
    np.testing.assert_allclose(unit, 1, 1e-5)


def test_a_network_of_zeros_starts_at_a_loss_of_one():
  """Per pixel and at every sigma, on data of standard deviation sigma_data."""
  key = jax.random.key(0)
  y = 0.5 * jax.random.normal(key, (50, 64, 64, 1))
  noise = jax.random.normal(jax.random.key(1), y.shape)
  denoise = edm.precondition(lambda x, c_noise, cond: jnp.zeros_like(x))
  d = denoise(y + per_image(LEVELS) * noise, LEVELS)
  loss = edm.weight(LEVELS) * jnp.mean((d - y) ** 2, axis=(1, 2, 3))
  np.testing.assert_allclose(loss, 1, atol=0.1)


def test_the_network_sees_what_the_formula_says():
  """The best network for Gaussian pixels makes the analytic denoiser."""
  seen = {}

  def best(x, c_noise, cond):
    seen.update(x=x, c_noise=c_noise, cond=cond)
    sigma = per_image(jnp.exp(4 * c_noise))
    c = edm.scalings(sigma)
    noisy = x / c.c_in
    clean = 0.3**2 / (0.3**2 + sigma**2) * noisy
    return ((clean - c.c_skip * noisy) / c.c_out).astype(jnp.bfloat16)

  x = jax.random.normal(jax.random.key(0), (50, 8, 8, 1)) * per_image(LEVELS)
  d = edm.precondition(best)(x, LEVELS, "condition")
  assert d.dtype == jnp.float32 and seen["cond"] == "condition"
  exact = analytic.gaussian(0.0, 0.3)(x, LEVELS)
  scale = per_image(edm.scalings(LEVELS).c_out)
  assert jnp.abs((d - exact) / scale).max() < 0.03  # bfloat16 of the network
