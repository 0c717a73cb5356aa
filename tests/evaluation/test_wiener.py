"""The error of the Wiener filter."""

import numpy as np
import pytest

from jaxgen.evaluation import wiener
from jaxgen.evaluation.sensors import Sensor


def sensor(photons: float) -> Sensor:
  return Sensor(photons=photons, background=1.0, read_noise=2.0)


def white(std: float, channels: int = 1) -> np.ndarray:
  shape = 500, 8, 8, channels
  return std * np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("photons", [2.0, 20.0, 1000.0])
def test_of_white_fields_it_is_that_of_one_gaussian(photons):
  of = sensor(photons)
  v = (of.offset + of.read_noise**2) / of.scale**2
  want = 0.09 * v / (0.09 + v)
  found = wiener.squared_error(white(0.3), of)
  assert found == pytest.approx(want, rel=0.02)


def test_correlated_fields_are_estimated_as_by_the_filter_itself():
  rng, num, v = np.random.default_rng(1), 4000, 0.3
  kernel = np.zeros((8, 8))
  kernel[:2, :2] = 0.25
  x = rng.normal(size=(num, 8, 8))
  tiles = np.fft.ifft2(np.fft.fft2(x) * np.fft.fft2(kernel)).real
  scale = 1.0  # rates of 0 on average: the noise is that of reading alone
  of = Sensor(photons=2 * scale, background=-scale, read_noise=v**0.5)
  power = np.abs(np.fft.fft2(kernel)) ** 2
  noisy = tiles + v**0.5 * rng.normal(size=tiles.shape)
  estimate = np.fft.ifft2(np.fft.fft2(noisy) * power / (power + v)).real
  found = wiener.squared_error(tiles[..., None], of)
  assert found == pytest.approx(np.mean((estimate - tiles) ** 2), rel=0.02)
  assert found == pytest.approx(np.mean(power * v / (power + v)), rel=0.02)


def test_equal_channels_are_as_many_exposures():
  of = sensor(20.0)
  more = Sensor(photons=60.0, background=3.0, read_noise=12.0**0.5)
  three = np.repeat(white(0.3), 3, axis=-1)
  found = wiener.squared_error(three, of)
  want = wiener.squared_error(white(0.3), more)
  assert found == pytest.approx(want, rel=1e-6)


def test_limits():
  tiles = white(0.3, channels=3)
  variance = np.var(tiles, axis=(0, 1, 2)).mean()
  assert wiener.squared_error(tiles, sensor(1e-3)) == pytest.approx(
    variance, rel=1e-4
  )
  assert wiener.squared_error(tiles, sensor(1e9)) == pytest.approx(0, abs=1e-6)
