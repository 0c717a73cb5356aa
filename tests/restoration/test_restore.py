"""Restoration from counts, on images whose posterior is known."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.arrays import noise

from jaxgen.diffusion import analytic
from jaxgen.laws import photon_noise, posterior_samples
from jaxgen.laws import restoration as laws
from jaxgen.restoration import operators
from jaxgen.restoration.posterior import restore

GAUSSIAN = analytic.gaussian(0.1, 0.3)
SENSOR: dict[str, Any] = {"scale": 10.0, "offset": 12.0, "read_noise": 1.0}
SHAPE = (2, 6, 8, 1)
SIGMA = jnp.array([0.2, 3.0])


@pytest.mark.parametrize("photons", [2.0, 100.0])
def test_even_noise_takes_no_correction(photons):
  assert photon_noise.even_noise_error(photons) < 0.01
  assert photon_noise.even_noise_change(photons) < 1e-3


@pytest.mark.parametrize("photons", [2.0, 30.0, 1000.0])
def test_uneven_noise_takes_a_few(photons):
  assert photon_noise.uneven_noise_error(photons) < 0.05


def test_a_map_takes_none():
  """Any unevenness, and pixels that nothing was seen of, in one call."""
  x, y = noise(SHAPE), 12.0 + 10 * noise(SHAPE, 1)
  variance = jnp.exp(3 * noise(SHAPE, 2))
  hidden = noise(SHAPE, 3) > 0.5
  found = restore(
    GAUSSIAN,
    jnp.where(hidden, jnp.nan, y),
    variance=variance,
    noise_map=True,
    **SENSOR,
  )(x, SIGMA)
  p = jnp.where(hidden, 0.0, 100 / variance)
  own = 1 / SIGMA[:, None, None, None] ** 2
  right = 0.1 / 0.09 + own * x + p * (y - 12) / 10
  np.testing.assert_allclose(found, right / (1 / 0.09 + own + p), rtol=1e-4)


def test_an_unseen_pixel_is_that_of_the_plain_denoiser():
  """Of independent pixels, by either way."""
  x, y = noise(SHAPE), 12.0 + 3 * noise(SHAPE, 1)
  y = y.at[0, 2, 3, 0].set(jnp.nan)
  ways: list[dict[str, Any]] = [{"noise_map": True}, {"corrections": 4}]
  for options in ways:
    found = restore(GAUSSIAN, y, **SENSOR, **options)(x, SIGMA)
    want = GAUSSIAN(x, SIGMA)[0, 2, 3, 0]
    np.testing.assert_allclose(found[0, 2, 3, 0], want, atol=2e-3)
    assert np.abs(found - GAUSSIAN(x, SIGMA)).max() > 0.1


def test_a_mosaic_is_the_mask_of_its_colors():
  x = noise((2, 4, 6, 3))
  y = 12.0 + 3 * noise((2, 2, 3, 4), 1)
  mosaic = operators.bayer()
  whole = jnp.where(
    mosaic.adjoint(jnp.ones_like(y)) > 0, mosaic.adjoint(y), jnp.nan
  )
  both = [
    restore(GAUSSIAN, values, operator=op, noise_map=True, **SENSOR)(x, SIGMA)
    for values, op in ((y, mosaic), (whole, operators.identity))
  ]
  np.testing.assert_allclose(*both, rtol=1e-6)


def test_other_operators_are_exact_with_corrections():
  """Of Gaussian pixels, as many as there are values."""
  half = operators.downsampling(2)
  x, y = noise((1, 2, 4, 1)), 12.0 + 3 * noise((1, 1, 2, 1), 1)
  sigma = jnp.array([0.7])
  options: dict[str, Any] = {
    "operator": half,
    "variance": 9.0,
    "corrections": 2,
  }
  found = restore(GAUSSIAN, y, **SENSOR, **options)(x, sigma)
  c = 1 / (1 / 0.09 + 1 / 0.49)
  mean = GAUSSIAN(x, sigma)
  gain = (c / 4) / (c / 4 + 9.0 / 100)
  want = mean + 4 * half.adjoint(gain * ((y - 12) / 10 - half.apply(mean)))
  np.testing.assert_allclose(found, want, atol=1e-4)


def test_infinitely_noisy_images_say_nothing():
  """The limit is the answer without sampling, whatever the image."""
  y = 12.0 + 3 * noise(SHAPE, 1)
  ways: list[dict[str, Any]] = [{"noise_map": True}, {"corrections": 2}]
  for options in ways:
    run = restore(GAUSSIAN, y, **SENSOR, **options)
    limit = run(jnp.zeros(SHAPE), jnp.full(2, jnp.inf))
    far = run(1e4 * noise(SHAPE), jnp.full(2, 1e4))
    np.testing.assert_allclose(far, limit, atol=1e-3)


def test_the_variance_is_not_read_off_the_counts():
  """Two counts of one pixel far from any image have nearly one weight."""
  flat = jnp.full((1, 4, 4, 1), 12.0)
  answers = [
    restore(GAUSSIAN, flat.at[0, 1, 1, 0].set(v), noise_map=True, **SENSOR)(
      0 * flat, jnp.full(1, jnp.inf)
    )[0, 1, 1, 0]
    for v in (11.0, 12.0, 13.0)
  ]
  low, high = np.diff(np.array(answers))
  assert low == pytest.approx(high, rel=0.1)


@pytest.mark.parametrize("photons", [2.0, 10.0])
def test_samples_have_the_posterior_of_the_sensor(photons):
  bias, ratio = posterior_samples.sample_moments(photons)
  assert abs(bias) < 0.08 and 0.95 < ratio < 1.06


def test_a_denoiser_wrong_off_its_noise_stays_near_the_single_call():
  """Told the largest noise in place of the mean it would not."""
  assert laws.lost_decibels() < 1 < laws.lost_decibels(maximum=True) - 1


@pytest.mark.parametrize(
  ("change", "field"),
  [
    ({"scale": 0.0}, "scale"),
    ({"read_noise": -1.0}, "read_noise"),
    ({"variance": 0.0}, "variance"),
  ],
)
def test_impossible_sensors_are_refused(change, field):
  with pytest.raises(ValueError, match=field):
    restore(GAUSSIAN, jnp.ones(SHAPE), **SENSOR | change)


def test_it_runs_compiled_and_image_by_image():
  x, y = noise(SHAPE), 12.0 + 3 * noise(SHAPE, 1)

  @functools.partial(jax.jit, static_argnames="noise_map")
  def run(x, sigma, y, noise_map):
    return restore(GAUSSIAN, y, noise_map=noise_map, **SENSOR)(x, sigma)

  for noise_map in (False, True):
    both = run(x, SIGMA, y, noise_map)
    alone = run(x[1:], SIGMA[1:], y[1:], noise_map)
    np.testing.assert_allclose(both[1:], alone, atol=1e-5)
