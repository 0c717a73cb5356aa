"""Cameras: digital numbers, electrons, and what says nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.restoration.camera import Camera

CAMERA = Camera(gain=2.5, read_noise=3.0, black=100.0, white=1000.0)


def test_gain_is_in_numbers_per_electron():
  numbers = jnp.array([100.0, 350.0, 90.0])
  electrons = CAMERA.electrons(numbers)
  np.testing.assert_allclose(electrons, [0.0, 100.0, -4.0])
  np.testing.assert_allclose(CAMERA.numbers(electrons), numbers, rtol=1e-6)


def test_numbers_have_the_mean_and_variance_of_the_model():
  rate = jnp.full(200_000, 40.0)
  numbers = CAMERA.simulate(jax.random.key(0), rate)
  assert float(numbers.mean()) == pytest.approx(200, abs=0.2)
  assert float(numbers.var()) == pytest.approx(2.5**2 * (40 + 9), rel=0.02)


def test_what_says_nothing_is_nan():
  dead = np.zeros((1, 2, 3, 1), bool)
  dead[0, 1, 2] = True
  camera = Camera(gain=2.0, read_noise=1.0, white=100.0, dead=dead)
  numbers = jnp.full((2, 2, 3, 1), 50.0).at[0, 0, 0, 0].set(jnp.nan)
  numbers = numbers.at[1, 1, 0, 0].set(100.0)
  want = np.zeros(numbers.shape, bool)
  want[0, 0, 0] = want[1, 1, 0] = want[:, 1, 2] = True
  np.testing.assert_array_equal(np.isnan(camera.electrons(numbers)), want)
  bright = camera.numbers(jnp.full((1, 2, 3, 1), 1e6))
  np.testing.assert_array_equal(bright, 100.0)


def test_channels_and_pixels_have_their_own_numbers():
  gain, black = np.array([1.0, 2.0, 4.0]), np.array([0.0, 10.0, 20.0])
  camera = Camera(gain=gain, read_noise=np.ones((4, 4, 1)), black=black)
  electrons = jnp.full((2, 4, 4, 3), 5.0)
  numbers = camera.numbers(electrons)
  np.testing.assert_allclose(numbers[0, 0, 0], [5.0, 20.0, 40.0])
  np.testing.assert_allclose(camera.electrons(numbers), electrons)


@pytest.mark.parametrize(
  ("change", "field"),
  [
    ({"gain": 0.0}, "gain"),
    ({"gain": float("nan")}, "gain"),
    ({"read_noise": -1.0}, "read_noise"),
    ({"black": 200.0, "white": 100.0}, "white"),
  ],
)
def test_impossible_cameras_are_refused(change, field):
  with pytest.raises(ValueError, match=field):
    Camera(**{"gain": 1.0, "read_noise": 1.0} | change)
