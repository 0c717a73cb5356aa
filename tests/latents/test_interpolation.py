"""Spherical interpolation between latents."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.latents import interpolation


def test_slerp_turns_evenly_and_ends_where_it_should():
  a, b = jnp.array([1.0, 0.0, 0.0]), jnp.array([0.0, 2.0, 0.0])
  np.testing.assert_allclose(interpolation.slerp(a, b, 0.0), a, atol=1e-6)
  np.testing.assert_allclose(interpolation.slerp(a, b, 1.0), b, atol=1e-6)
  third = interpolation.slerp(a, b, 1 / 3)
  assert np.degrees(np.arctan2(third[1], third[0])) == pytest.approx(
    30, abs=0.1
  )
  assert jnp.linalg.norm(third) == pytest.approx(4 / 3, abs=1e-5)
  center = jnp.array([3.0, 3.0, 3.0])
  np.testing.assert_allclose(
    interpolation.slerp(a + center, b + center, 1 / 3, center=center),
    third + center,
    1e-5,
  )


def test_slerp_of_equal_or_parallel_vectors_is_a_straight_line():
  a = jnp.array([1.0, 2.0])
  np.testing.assert_allclose(interpolation.slerp(a, a, 0.3), a, atol=1e-6)
  np.testing.assert_allclose(
    interpolation.slerp(a, 3 * a, 0.5), 2 * a, atol=1e-5
  )
  gradient = jax.grad(lambda t: interpolation.slerp(a, a, t).sum())(0.5)
  assert jnp.isfinite(gradient)
