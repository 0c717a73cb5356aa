"""Realistic degradation: its noise, its kernels and its compression."""

import io
from typing import Any

import numpy as np
import pytest
import scipy.fft
import scipy.ndimage
from PIL import Image

from jaxgen.data import blur_kernels, degradation
from jaxgen.data.blur_kernels import RADIUS, SIDE


def rng(seed=0):
  return np.random.default_rng(seed)


def pixels(*shape, dtype=np.uint8):
  if dtype == np.float32:
    return rng().uniform(-1, 1, shape).astype(dtype)
  return rng().integers(0, np.iinfo(dtype).max + 1, shape, dtype)


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_key_gives_one_small_image(factor, channels):
  image = pixels(48, 60, channels)
  before = image.copy()
  found = [
    degradation.realistic(image, key, factor=factor) for key in (7, 7, 8)
  ]
  assert found[0].shape == (48 // factor, 60 // factor, channels)
  assert found[0].dtype == np.uint8
  np.testing.assert_array_equal(found[0], found[1])
  assert (found[0] != found[2]).any()
  np.testing.assert_array_equal(image, before)


def test_types_of_pixels_have_one_degradation():
  eight = pixels(32, 32, 3)
  sixteen = eight.astype(np.uint16) * 257
  floats = eight.astype(np.float32) / 127.5 - 1
  for key in range(8):
    small, deep, plain = (
      degradation.realistic(x, key, factor=2) for x in (eight, sixteen, floats)
    )
    assert deep.dtype == np.uint16 and plain.dtype == np.float32
    np.testing.assert_allclose(deep / 257, small, atol=1.01)
    np.testing.assert_allclose((plain + 1) * 127.5, small, atol=1.01)


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("kind", ["gaussian", "photons"])
def test_noise_has_the_moments_of_its_law(kind, gray):
  """Mean 0; variance std^2, or what is counted over the photons at white."""
  levels = np.asarray([0.3, 0.5, 0.4], np.float32)
  x = np.broadcast_to(levels, (300, 300, 3)).copy()
  if kind == "gaussian":
    y = degradation.gaussian_noise(x, 0.05, rng(), gray=gray)
    variance = np.full(3, 0.05**2)
  else:
    y = degradation.photon_noise(x, 400.0, rng(), gray=gray)
    luma = float(levels @ degradation.LUMA)
    variance = np.full(3, luma / 400) if gray else levels / 400
  noise = y - x
  np.testing.assert_allclose(noise.mean((0, 1)), 0, atol=4 * 0.05 / 300)
  np.testing.assert_allclose(noise.var((0, 1)), variance, rtol=0.03)
  correlations: Any = np.corrcoef(noise.reshape(-1, 3).T)
  assert correlations[0, 1] == pytest.approx(1.0 if gray else 0.0, abs=0.02)


def test_kernels_sum_to_one_and_have_no_direction_of_their_own():
  for seed in range(60):
    kernel = blur_kernels.draw(rng(seed), sigma=(0.2, 3.0))
    assert kernel.shape == (SIDE, SIDE) and kernel.sum() == pytest.approx(1)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-12)


def test_a_gaussian_has_its_covariance():
  long, wide, angle = 2.0, 1.0, 0.6
  kernel = blur_kernels.smooth("gaussian", long=long, wide=wide, angle=angle)
  y, x = np.mgrid[-RADIUS : RADIUS + 1, -RADIUS : RADIUS + 1]
  axes = np.asarray([[np.cos(angle), np.sin(angle)], [-np.sin(angle), 1]])
  axes[1, 1] = np.cos(angle)
  want = axes.T @ np.diag([long**2, wide**2]) @ axes
  found = [[(kernel * a * b).sum() for b in (x, y)] for a in (x, y)]
  np.testing.assert_allclose(found, want, atol=1e-3)


def test_generalized_kernels_are_gaussian_at_power_one_and_flat_above():
  sizes = dict(long=2.0, wide=1.5, angle=0.3)
  plain = blur_kernels.smooth("gaussian", **sizes)
  same = blur_kernels.smooth("generalized", power=1.0, **sizes)
  np.testing.assert_allclose(same, plain)
  flat = blur_kernels.smooth("generalized", power=4.0, **sizes)
  c = RADIUS
  assert flat[c, c + 1] / flat[c, c] > 0.99 > plain[c, c + 1] / plain[c, c]
  tail = blur_kernels.smooth("plateau", power=1.0, **sizes)
  r2 = (np.cos(0.3) / 2) ** 2 + (np.sin(0.3) / 1.5) ** 2
  assert tail[c, c] / tail[c, c + 1] == pytest.approx(1 + r2)


@pytest.mark.parametrize("cutoff", [np.pi / 3, 2.0, np.pi])
def test_a_sinc_filter_passes_what_is_below_its_cutoff(cutoff):
  """The transform of w J_1(w r) / (2 pi r) is 1 inside a circle of radius w,
  and 0 outside, up to the ripples of the cut."""
  kernel = blur_kernels.sinc(cutoff)
  response = np.abs(np.fft.fft2(kernel, (128, 128)))
  w = 2 * np.pi * np.fft.fftfreq(128)
  radius = np.hypot(w[:, None], w)
  np.testing.assert_allclose(response[radius < cutoff - 0.7], 1, atol=0.13)
  outside = (radius > cutoff + 0.7) & (radius < np.pi)
  assert response[outside].max(initial=0) < 0.13


@pytest.mark.parametrize("shape", [(17, 30, 3), (9, 9, 1)])
def test_images_are_convolved_and_mirrored_at_their_borders(shape):
  x = rng().random(shape).astype(np.float32)
  kernel = blur_kernels.smooth("gaussian", long=3.0, wide=0.7, angle=0.4)
  kernel[0, 3] += 0.3  # not symmetric
  found = blur_kernels.convolve(x, kernel)
  want = scipy.ndimage.convolve(x, kernel[..., None], mode="mirror")
  np.testing.assert_allclose(found, want, atol=1e-5)


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_compression_is_that_of_jpeg(quality):
  """Cosine coefficients of its blocks are multiples of its table, but for the
  rounding of pixels."""
  smooth = scipy.ndimage.gaussian_filter(rng().random((64, 64)), 2)
  x = (0.5 + 2 * (smooth - smooth.mean()))[..., None].astype(np.float32)
  found = degradation.jpeg(x, quality)
  blocks = found[..., 0].reshape(8, 8, 8, 8).swapaxes(1, 2) * 255 - 128
  coefficients = scipy.fft.dctn(blocks, axes=(2, 3), norm="ortho")
  file = io.BytesIO()
  Image.new("L", (8, 8)).save(file, "JPEG", quality=quality)
  opened: Any = Image.open(file)
  table = np.asarray(opened.quantization[0]).reshape(8, 8)
  coarse = table >= 12
  levels = (coefficients / table)[:, :, coarse]
  if levels.size:
    assert np.abs(levels - np.rint(levels)).max() < 0.2
  error = np.std(found - x)
  assert error < {30: 0.03, 75: 0.015, 95: 0.006}[quality]
  assert np.abs(found - x).max() > 0


def test_constants_stay_constant_but_for_noise(monkeypatch):
  """No part of the chain changes the brightness."""
  quiet = lambda x, *args, **kwargs: x  # noqa: E731
  monkeypatch.setattr(degradation, "gaussian_noise", quiet)
  monkeypatch.setattr(degradation, "photon_noise", quiet)
  for key in range(20):
    x = np.full((40, 40, 3), 96, np.uint8)
    found = degradation.realistic(x, key, factor=2)
    np.testing.assert_allclose(found.astype(int), 96, atol=2)
