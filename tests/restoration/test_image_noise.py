"""Noise and detail of single images."""

import numpy as np
import pytest
from scipy import fft

from jaxgen.restoration import image_noise

SIDE = 160


def edges(seed=0):
  """Squares of several levels: an image of edges."""
  rng = np.random.default_rng(seed)
  image = np.zeros((SIDE, SIDE))
  for _ in range(12):
    top, left = rng.integers(0, SIDE - 40, 2)
    image[top : top + 40, left : left + 40] = rng.uniform(0, 10)
  return image


def smooth(factor):
  """Detail up to the Nyquist frequency of a resolution lower by `factor`."""
  rng = np.random.default_rng(1)
  power = np.zeros((SIDE, SIDE))
  n = SIDE // factor
  power[:n, :n] = rng.normal(size=(n, n))
  return np.asarray(fft.idctn(power, norm="ortho"))


@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_edges_are_not_counted(sigma):
  rng = np.random.default_rng(2)
  image = edges() + rng.normal(0, sigma, (SIDE, SIDE))
  found = image_noise.noise_variance(image)
  assert found == pytest.approx(sigma**2, rel=0.15)


def test_the_variance_of_an_image_counts_them():
  """The usual proxy, the variance of the image or of its neighborhoods."""
  rng = np.random.default_rng(2)
  image = edges() + rng.normal(0, 0.3, (SIDE, SIDE))
  blocks = image.reshape(SIDE // 8, 8, SIDE // 8, 8).swapaxes(1, 2)
  local = blocks.var((2, 3)).mean()
  assert image.var() > 50 * 0.09 and local > 5 * 0.09
  assert image_noise.noise_variance(image) < 1.15 * 0.09


@pytest.mark.parametrize("seed", range(4))
def test_photon_noise_is_averaged_over_levels(seed):
  rng = np.random.default_rng(seed)
  rate = 5 + 4 * edges(seed)
  image = rng.poisson(rate) + rng.normal(0, 1, rate.shape)
  found = image_noise.noise_variance(image)
  assert found == pytest.approx(rate.mean() + 1, rel=0.2)


@pytest.mark.parametrize("side", [48, 160])
def test_the_noise_of_another_camera_is_doubted(side):
  """That of the right one is not, in large and small images; a gain of 1/3 in
  place of 3 is, where each electron is counted as 9."""
  rng = np.random.default_rng(3)
  rate = 5 + 4 * edges()[:side, :side]
  counts = rng.poisson(rate) + rng.normal(0, 1, rate.shape)
  for factor in (1, 9):
    found = image_noise.mean_variance([factor * counts])
    ratio = image_noise.over_expected(found, factor * counts, np.ones(1))
    assert image_noise.doubtful(ratio, counts.size) == (factor == 9)
    assert image_noise.doubtful(1 / ratio, counts.size) == (factor == 9)
  assert not image_noise.doubtful(np.nan, side**2)


def test_unseen_pixels_are_left_out():
  rng = np.random.default_rng(2)
  image = edges() + rng.normal(0, 1.0, (SIDE, SIDE))
  image[rng.random(image.shape) < 0.002] = np.nan
  assert image_noise.noise_variance(image) == pytest.approx(1.0, rel=0.2)
  with pytest.raises(ValueError, match="image"):
    image_noise.noise_variance(np.full((32, 32), np.nan))


@pytest.mark.parametrize("factor", [2, 4])
def test_noise_has_no_detail(factor):
  noise = np.random.default_rng(4).normal(0, 2.0, (SIDE, SIDE))
  assert image_noise.detail(noise, factor, noise=4.0) == (0.0, 0.0)


def test_detail_of_a_lower_resolution_is_not_counted():
  image = smooth(2) + np.random.default_rng(5).normal(0, 0.2, (SIDE, SIDE))
  assert image_noise.detail(image, 2, noise=0.04).variance == 0.0
  found = image_noise.detail(image, 4, noise=0.04)
  clean = image_noise.detail(smooth(2), 4, noise=0.0)
  assert found.variance == pytest.approx(clean.variance, rel=0.05)
  assert found.share == pytest.approx(0.75, abs=0.03)


def test_detail_below_the_noise_is_none():
  image = 0.01 * smooth(1) + np.random.default_rng(6).normal(size=(SIDE, SIDE))
  assert image_noise.detail(image, 2, noise=1.0).variance == 0.0
  assert image_noise.detail(0.01 * smooth(1), 2, noise=0.0).variance > 0


def test_an_image_of_one_value_has_neither():
  flat = np.full((32, 32), 7.0)
  assert image_noise.noise_variance(flat) == 0.0
  assert image_noise.detail(flat, 2, noise=0.0) == (0.0, 0.0)
