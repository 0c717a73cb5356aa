"""The energy distance against its definition by pairs."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.metrics import energy, spread

REACH = 8.0


def by_pairs(x, y):
  def mean(a, b):
    return np.linalg.norm(a[:, None] - b[None], axis=-1).mean()

  return 2 * mean(x, y) - mean(x, x) - mean(y, y)


def by_functions(x, y, num):
  of = functools.partial(energy.distribution, reach=REACH, num=num)
  f, g = (np.asarray(of(jnp.asarray(z))).mean(0) for z in (x, y))
  return energy.energy_distance(f, g, dimensions=x.shape[1], reach=REACH)


@pytest.mark.parametrize("d", [1, 2, 12])
def test_it_is_that_of_the_pairs(d):
  rng = np.random.default_rng(d)
  x = rng.normal(size=(60, d)).astype(np.float32)
  shift = np.zeros(d) + 1.0
  y = (0.6 * rng.normal(size=(80, d)) + shift).astype(np.float32)
  found, want = by_functions(x, y, num=1024), by_pairs(x, y)
  assert found == pytest.approx(want, rel=0.04)
  assert by_functions(x, x, num=16) == 0


def test_a_norm_is_a_mean_over_directions():
  """In the plane the mean of |cos| is 2 / pi."""
  assert energy.norm_constant(1) == pytest.approx(1)
  assert energy.norm_constant(2) == pytest.approx(np.pi / 2)
  assert np.linalg.norm(energy.directions(5), axis=0) == pytest.approx(1.0)


def test_what_is_not_finite_stays_so():
  x = jnp.asarray([[jnp.nan, 1.0]])
  assert not jnp.isfinite(energy.distribution(x, reach=REACH)).all()


@pytest.mark.parametrize(
  ("periods", "octave"),
  [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (7, 2), (8, 2)],
)
def test_a_wave_is_of_one_octave(periods, octave):
  wave = np.cos(2 * np.pi * periods * np.arange(16) / 16)
  plane = (wave[:, None] * np.ones(16)).astype(np.float32)
  image = plane[None, ..., None]
  power = np.asarray(spread.power(jnp.asarray(image))).reshape(-1)
  assert float(power[octave]) == pytest.approx(np.mean(image**2), rel=1e-4)
  assert power.sum() == pytest.approx(np.mean(image**2), rel=1e-4)


def test_the_variance_of_images_is_that_about_their_mean():
  rng = np.random.default_rng(0)
  x = rng.normal(1.0, 0.5, (400, 8, 8, 1)).astype(np.float32)
  each = np.asarray(spread.power(jnp.asarray(x)))
  power = np.mean(each, axis=0)
  found = spread.variance(x.mean(0), power)
  assert found.shape == (2,)
  assert found.sum() == pytest.approx(x.var(0).mean(), rel=1e-3)
  vectors = x[:, :1, :1]
  assert spread.power(jnp.asarray(vectors)).shape == (400, 1)
