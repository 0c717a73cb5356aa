import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.diffusion import few_steps
from jaxgen.laws import few_steps as laws


def test_levels_of_ect():
  """By hand: r = t (1 - gap (1 + 8 sigmoid(-t))), and 0 instead of less."""
  t = jnp.asarray([1e3, 2.0, 0.1])
  sigmoid = 1 / (1 + np.exp(2.0))
  r = few_steps.lower_level(t, 0.25, steepness=8.0)
  want = [750.0, 2 * (1 - 0.25 * (1 + 8 * sigmoid)), 0.0]
  np.testing.assert_allclose(r, want, rtol=1e-5)
  np.testing.assert_array_equal(
    few_steps.lower_level(t, 1.0, steepness=8.0), 0.0
  )


def test_distances():
  """Of a whole image; near zero a pseudo-Huber distance is a square, far away
  it is the Euclidean one less its constant."""
  a = jnp.zeros((2, 3, 3, 1)).at[0, 0, 0].set(3.0).at[0, 1, 1].set(4.0)
  np.testing.assert_allclose(few_steps.distance(a, 0 * a), [5, 0], atol=1e-6)
  far = few_steps.distance(100 * a, 0 * a, huber=1.0)[0]
  assert far == pytest.approx(500 - 3, abs=0.02)
  near = few_steps.distance(a / 100, 0 * a, huber=1.0)[0]
  assert near == pytest.approx(0.05**2 / 6, rel=1e-3)
  slope = jax.grad(lambda x: few_steps.distance(x, a).sum())(a)
  assert jnp.isfinite(slope).all()


def test_at_equal_levels_the_target_of_a_flow_map_is_the_data():
  y, unit = jax.random.normal(jax.random.key(0), (2, 3, 4, 4, 1))
  t = jnp.asarray([0.1, 1.0, 10.0])
  d, target = few_steps.mean_flow_target(
    lambda x, t: jnp.sin(x), y, unit, t=t, r=t
  )
  np.testing.assert_array_equal(target, y)
  x = y + t[:, None, None, None] * unit
  np.testing.assert_allclose(d, jnp.sin(x), rtol=1e-6)


def test_only_fine_steps_make_samples_as_wide_as_the_data():
  """The spread at a constant ratio of levels is 1 - gap / 4 for small gaps."""
  assert laws.one_step_spread(8) == pytest.approx(0.998, abs=6e-4)
  for stage in range(8):
    assert laws.one_step_spread(stage) < laws.one_step_spread(stage + 1)


def test_a_level_that_is_told_is_finite():
  told = few_steps.level_feature(jnp.asarray([0.0, 0.8, 80.0]))
  assert told.shape == (3, 1) and jnp.isfinite(told).all()
  np.testing.assert_allclose(told[1:, 0], np.log([0.8, 80]) / 4, rtol=1e-6)
