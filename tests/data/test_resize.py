import numpy as np
import pytest

from jaxgen.data.resize import (
  center_square,
  resize,
  resize_labels,
  to_channels,
)

KINDS = [np.uint8, np.uint16, np.float32]


def noise(dtype, size=24, channels=3):
  values = np.random.default_rng(0).random((size, size, channels))
  if np.dtype(dtype).kind == "f":
    return (2 * values - 1).astype(dtype)
  return (values * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", KINDS)
def test_integer_factors_are_means_of_boxes(dtype, channels):
  image = noise(dtype, channels=channels)
  out = resize(image, 8)
  mean = image.astype(np.float64).reshape(8, 3, 8, 3, channels).mean((1, 3))
  assert out.dtype == dtype and out.shape == (8, 8, channels)
  # PIL's 8 bit path rounds after each axis.
  tolerance = {"u1": 1.01, "u2": 0.51, "f4": 1e-6}[np.dtype(dtype).str[1:]]
  np.testing.assert_allclose(out, mean, rtol=0, atol=tolerance)


@pytest.mark.parametrize("side", [7, 10, 31])
@pytest.mark.parametrize("dtype", KINDS)
def test_constants_and_ramps_survive_lanczos(dtype, side):
  flat = np.full((24, 24, 3), 100, dtype)
  np.testing.assert_allclose(resize(flat, side), 100, rtol=1e-6)
  ramp = np.broadcast_to(np.arange(24)[None, :, None] * 10, (24, 24, 1))
  out = resize(ramp.astype(dtype), side)
  centers = 10 * ((np.arange(side) + 0.5) * 24 / side - 0.5)
  inner = slice(side // 3, -(side // 3))
  error = np.abs(out[side // 2, inner, 0] - centers[inner])
  assert error.max() < 1.5


@pytest.mark.parametrize("dtype", KINDS)
def test_shrinking_is_antialiased(dtype):
  """A pattern above the new Nyquist frequency becomes gray, not moire."""
  stripes = np.zeros((60, 60, 1), dtype)
  high = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
  stripes[:, ::2] = high
  inner = resize(stripes, 25)[5:-5, 5:-5].astype(np.float64) / high
  assert np.abs(inner - 0.5).max() < 0.05


@pytest.mark.parametrize("dtype", KINDS)
def test_overshoot_stays_in_range(dtype):
  step = np.zeros((24, 24, 1), dtype)
  step[:, 12:] = high = 1 if dtype == np.float32 else np.iinfo(dtype).max
  out = resize(step, 17).astype(int if dtype != np.float32 else float)
  assert out.min() == 0 and out.max() == high  # no wrapping around either
  assert out[:, :8].max() < 0.1 * high and out[:, 9:].min() > 0.9 * high


def test_the_kinds_of_pixels_agree():
  image = noise(np.uint8)
  small = resize(image, 10).astype(float)
  deep = resize(image.astype(np.uint16) * 257, 10) / 257
  real = resize(image.astype(np.float32) / 255, 10) * 255
  np.testing.assert_allclose(small, deep, atol=1.01)
  np.testing.assert_allclose(deep, np.clip(real, 0, 255), atol=0.01)


def test_labels_are_taken_from_the_nearest_pixel_never_mixed():
  labels = np.random.default_rng(0).integers(0, 70000, (9, 9)).astype(np.int32)
  np.testing.assert_array_equal(resize_labels(labels, 3), labels[1::3, 1::3])
  assert set(resize_labels(labels, 7).ravel()) <= set(labels.ravel())
  big = resize_labels(labels, 18)
  np.testing.assert_array_equal(big[::2, ::2], labels)


def test_the_center_square():
  image = np.arange(4 * 8).reshape(4, 8)
  np.testing.assert_array_equal(center_square(image), image[:, 2:6])
  np.testing.assert_array_equal(center_square(image.T), image.T[2:6])


@pytest.mark.parametrize("dtype", KINDS)
def test_gray_to_color_and_back(dtype):
  gray = noise(dtype, channels=1)
  color = to_channels(gray, 3)
  assert color.shape == (24, 24, 3)
  np.testing.assert_allclose(to_channels(color, 1), gray, rtol=1e-6)


def test_luma_weighs_green_most():
  red, green, blue = (
    to_channels(x[None, None], 1).item() for x in _primaries()
  )
  assert (red, green, blue) == (76, 150, 29)
  with pytest.raises(ValueError, match="4 channels"):
    to_channels(np.zeros((2, 2, 4), np.uint8), 3)


def _primaries():
  return np.eye(3, dtype=np.uint8) * 255
