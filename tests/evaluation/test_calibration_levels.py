"""The calibration of denoisers whose posterior is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.arrays import noise

from jaxgen.diffusion import analytic
from jaxgen.evaluation import calibration_levels, image_bootstrap
from jaxgen.evaluation.prior import Prior, image_keys
from jaxgen.evaluation.sensors import Sensor, simulate

STD = 0.3


def prior(claimed=STD):
  return Prior(
    denoiser=lambda _: analytic.gaussian(-0.2, claimed),
    params={},
    noise_map=True,
    batch=16,
  )


@pytest.fixture(scope="module")
def images():
  draws = np.random.default_rng(0).normal(size=(24, 16, 16, 1))
  return (-0.2 + STD * draws).astype(np.float32)


WEIGHTS = image_bootstrap.draws(np.arange(24))


def test_a_right_denoiser_announces_its_errors(images):
  rows = calibration_levels.by_sigma(prior(), images, WEIGHTS)
  assert [x.level for x in rows] == list(calibration_levels.SIGMAS)
  for row in rows:
    low, high = row.ratio[1:]
    assert low - 0.02 < 1 < high + 0.02 and high - low < 0.2
    right = row.level**2 * STD**2 / (row.level**2 + STD**2)
    assert row.error == pytest.approx(right, rel=0.1)
    assert row.negative == 0


def test_one_that_is_too_sure_is_told(images):
  (row,) = calibration_levels.by_sigma(
    prior(STD / 2), images, WEIGHTS, levels=[1.0]
  )
  assert row.ratio[1] > 1.5


@pytest.mark.parametrize("photons", [5.0, 100.0])
def test_of_counts_too(images, photons):
  sensor = Sensor(photons=photons, background=2.0, read_noise=1.0)
  keys = image_keys(0, len(images), "counts")
  counts = np.asarray(simulate(sensor, images, keys))
  (row,) = calibration_levels.by_photons(
    prior(), images, {sensor: counts}, WEIGHTS
  )
  assert row.level == photons
  assert row.ratio[0] == pytest.approx(1, abs=0.08)


def test_the_trace_is_that_of_the_derivative():
  x, levels = noise((2, 4, 4, 1)), jnp.array([0.3, 1.0])
  denoise = analytic.mixture([-0.5, 0.5], 0.2)
  clean, found = calibration_levels.announced(
    denoise,
    x,
    levels,
    keys=image_keys(0, 2, "probes"),
    probes=4,
  )
  jacobian = jax.jacobian(denoise)(x, levels).reshape(2, 16, 2, 16)
  traces = [np.trace(jacobian[i, :, i]) * levels[i] ** 2 / 16 for i in (0, 1)]
  np.testing.assert_allclose(found, traces, rtol=1e-4)
  np.testing.assert_allclose(clean, denoise(x, levels), rtol=1e-6)
