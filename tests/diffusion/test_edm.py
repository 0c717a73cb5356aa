import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.diffusion import analytic, edm, sigmas, vp
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


def test_the_18_step_grid_is_the_published_one():
  want = """80 57.586 40.7856 28.3746 19.3525 12.9101 8.40094 5.31519 3.25682
    1.92334 1.08817 0.585348 0.296442 0.139516 0.0599473 0.0229345 0.00752802
    0.002 0"""
  np.testing.assert_allclose(
    sigmas.karras(18), [float(x) for x in want.split()], rtol=5e-6
  )


@pytest.mark.parametrize(
  "grid", [sigmas.karras, sigmas.log_uniform, sigmas.ddpm]
)
@pytest.mark.parametrize("steps", [1, 2, 18, 1000])
def test_every_grid_falls_to_zero(grid, steps):
  found = grid(steps)
  assert found.shape == (steps + 1,) and found[-1] == 0
  assert (np.diff(found) < 0).all()


def test_karras_with_a_high_rho_is_log_uniform():
  np.testing.assert_allclose(
    sigmas.karras(20, rho=1e4)[:-1], sigmas.log_uniform(20)[:-1], rtol=2e-3
  )


def test_training_levels_have_their_distribution():
  log = np.log(sigmas.draw_log_normal(jax.random.key(0), 100_000))
  assert abs(log.mean() + 1.2) < 0.02 and abs(log.std() - 1.2) < 0.02
  log = np.log(sigmas.draw_log_uniform(jax.random.key(0), 100_000))
  low, high = np.log(0.002), np.log(80)
  assert low <= log.min() and log.max() <= high
  assert abs(log.mean() - (low + high) / 2) < 0.05
  assert abs(log.std() - (high - low) / 12**0.5) < 0.05


def test_the_discrete_process_ends_where_ddpm_s_does():
  assert vp.ABAR[0] == pytest.approx(1 - 1e-4)
  assert vp.ABAR[-1] == pytest.approx(4.036e-5, rel=1e-3)
  assert sigmas.ddpm(1000)[0] == pytest.approx(157.4, rel=1e-3)
  times = vp.time(jnp.asarray(vp.SIGMAS, jnp.float32))
  np.testing.assert_allclose(times, np.arange(1000), atol=0.01)


@pytest.mark.parametrize("kind", ["epsilon", "v"])
def test_epsilon_and_v_networks_become_the_same_denoiser(kind):
  """The best network of each kind, for Gaussian pixels, in DDPM's variables."""

  def clean(z, t):
    abar = per_image(jnp.asarray(vp.ABAR)[jnp.round(t).astype(int)])
    share = 0.3**2 * abar / (0.3**2 * abar + 1 - abar)
    return abar, share * z / jnp.sqrt(abar)

  def epsilon(z, t, cond):
    abar, y = clean(z, t)
    return (z - jnp.sqrt(abar) * y) / jnp.sqrt(1 - abar)

  def v(z, t, cond):
    abar, y = clean(z, t)
    noise = (z - jnp.sqrt(abar) * y) / jnp.sqrt(1 - abar)
    return jnp.sqrt(abar) * noise - jnp.sqrt(1 - abar) * y

  adapt = {"epsilon": vp.from_epsilon, "v": vp.from_v}[kind]
  denoise = adapt({"epsilon": epsilon, "v": v}[kind])
  levels = jnp.asarray(vp.SIGMAS[[0, 10, 300, 700, 999]], jnp.float32)
  x = jax.random.normal(jax.random.key(0), (5, 4, 4, 1))
  x = x * per_image(jnp.sqrt(levels**2 + 0.09))
  want = analytic.gaussian(0.0, 0.3)(x, levels)
  np.testing.assert_allclose(denoise(x, levels), want, atol=2e-3)
