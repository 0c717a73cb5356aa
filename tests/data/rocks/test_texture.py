"""Laws of the random fields of procedural rocks."""

import numpy as np
import pytest

from jaxgen.data.rocks import texture
from jaxgen.data.rocks.texture import Canvas


def _canvas(size=96, seamless=True, key=(0,)) -> Canvas:
  return Canvas(size=size, seamless=seamless, key=key)


def test_streams_are_their_own():
  a, b = _canvas().rng("a").random(), _canvas().rng("b").random()
  assert a != b and a == _canvas().rng("a").random()


@pytest.mark.parametrize("seamless", [True, False])
@pytest.mark.parametrize("cells, gain", [(8, 0.0), ((24, 6), 0.0), (8, 0.6)])
def test_noise_has_zero_mean_and_unit_variance(seamless, cells, gain):
  fields = np.stack(
    [
      texture.noise(_canvas(48, seamless, (i,)), "n", cells, gain)
      for i in range(80)
    ]
  )
  assert abs(fields.mean()) < 0.1
  assert abs(fields.var() - 1) < 0.15


def test_noise_does_not_change_with_the_resolution():
  coarse, fine = (
    texture.noise(_canvas(size), "n", 8, 0.4) for size in (128, 384)
  )
  np.testing.assert_allclose(coarse, fine[1::3, 1::3], atol=1e-5)


def test_noise_is_band_limited():
  """Its spectrum above the lattice's Nyquist frequency is nearly empty."""
  field = texture.noise(_canvas(128), "n", 16)
  power = np.abs(np.fft.fft2(field)) ** 2
  k = np.abs(np.fft.fftfreq(128, 1 / 128))
  beyond = np.maximum(k[:, None], k) > 16
  assert power[beyond].sum() < 0.02 * power.sum()


def test_the_slope_of_a_plane_is_constant():
  canvas = _canvas(seamless=False)
  y, x = texture.coordinates(canvas)
  dy, dx = texture.slope(canvas, 2 * y - 3 * x)
  np.testing.assert_allclose(dy, 2, atol=1e-3)
  np.testing.assert_allclose(dx, -3, atol=1e-3)


def test_the_slope_of_a_seamless_field_moves_with_it():
  canvas = _canvas(32)
  field = texture.noise(canvas, "n", 8)
  moved = texture.slope(canvas, np.roll(field, (5, 9), (0, 1)))
  for here, there in zip(texture.slope(canvas, field), moved, strict=True):
    np.testing.assert_array_equal(np.roll(here, (5, 9), (0, 1)), there)


@pytest.mark.parametrize("shift", [(1, 0), (0, -1), (3, -2)])
def test_seamless_grains_repeat_from_tile_to_tile(shift):
  canvas = _canvas(64)
  y, x = texture.coordinates(canvas)
  here = texture.grains(canvas, "g", (6, 4), (y, x), spread=0.5)
  there = texture.grains(
    canvas, "g", (6, 4), (y + shift[0], x + shift[1]), spread=0.5
  )
  assert (here.owner == there.owner).mean() > 0.999
  assert np.abs(here.edge - there.edge).max() < 1e-4


def test_a_grain_is_the_set_of_points_nearest_to_its_seed():
  """Seeds as the grains' own offsets place them, compared by brute force."""
  canvas = _canvas(64)
  y, x = texture.coordinates(canvas)
  grains = texture.grains(canvas, "g", (5, 5), (y, x))
  point = 5 * (x + 1j * y)
  seeds = {}
  for owner in np.unique(grains.owner):
    inside = grains.owner == owner
    seeds[owner] = (point - grains.offset)[inside][0]
  images = [a + 1j * b for a in (-5, 0, 5) for b in (-5, 0, 5)]
  nearest = np.min(
    [np.abs(point - s - image) for s in seeds.values() for image in images], 0
  )
  wrong = np.abs(grains.offset) > nearest + 1e-4
  assert wrong.mean() < 0.002  # seeds beyond the 3 x 3 neighbourhood


def test_the_distance_to_flat_sheets_is_exact():
  canvas = _canvas()
  sheets = texture.sheets(canvas, (1, 2), 3, np.zeros((96, 96), np.float32))
  y, x = texture.coordinates(canvas)
  phase = 3 * (y + 2 * x)
  expected = (phase % 1 - 0.5) / (3 * np.sqrt(5))
  np.testing.assert_allclose(sheets.distance, expected, atol=1e-5)
