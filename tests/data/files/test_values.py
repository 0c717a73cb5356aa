import numpy as np
import pytest

from jaxgen.data.files import values
from jaxgen.errors import UserError

RANGE = (0.0, 4.0)


def examine(image, channels=3):
  return values.examine(np.asarray(image), channels, RANGE)


def test_the_summary_is_that_of_numpy():
  image = np.random.default_rng(0).uniform(-1, 5, (8, 8, 3))
  found = examine(image)
  assert (found.low, found.high) == (image.min(), image.max())
  assert found.inside == np.mean((image >= 0) & (image <= 4)) < 1


def test_the_digest_tells_values_type_and_shape_apart():
  image = np.zeros((4, 4, 3), np.uint8)
  changed = image.copy()
  changed[3, 3, 2] = 1
  images = [image, changed, image.astype(np.uint16), image.reshape(2, 8, 3)]
  assert len({examine(x).digest for x in images}) == 4
  assert examine(image).digest == examine(np.asfortranarray(image)).digest


@pytest.mark.parametrize(
  ("image", "says"),
  [
    (np.zeros((4, 4, 3), np.complex64), "complex64"),
    (np.zeros((4, 4, 4), np.uint8), "data.channels=3"),
    (np.full((4, 4, 3), np.nan), "48 of 48"),
    (np.zeros((0, 4, 3)), "0 of 0"),
  ],
)
def test_images_that_cannot_be_used_are_refused(image, says):
  with pytest.raises(ValueError, match=says):
    examine(image)


def test_color_becomes_gray_and_gray_color():
  assert examine(np.ones((4, 4, 3), np.uint8), channels=1).inside == 1
  assert examine(np.ones((4, 4, 1), np.uint8), channels=3).inside == 1


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint32, bool])
def test_other_integers_need_a_range(dtype):
  image = np.ones((4, 4, 3), dtype)
  with pytest.raises(ValueError, match="data.value_range"):
    values.examine(image, 3, ())
  assert examine(image).inside == 1


def test_each_image_outside_the_range_is_named():
  good, bad = examine(np.full((4, 4, 3), 2.0)), examine(np.full((4, 4, 3), 9.0))
  assert values.outlier(good, RANGE) == ""
  assert "data.value_range" in values.outlier(bad, RANGE)
  values.check_range("x", [good] * 9 + [bad], RANGE)
  with pytest.raises(UserError, match="data.value_range"):
    values.check_range("x", [good] * 4 + [bad] * 6, RANGE)
  values.check_range("x", [], RANGE)


def test_values_far_below_white_are_doubted():
  (sentence,) = values.doubts("x", "uint16", (0.0, 4095.0), ())
  assert "4095" in sentence and "data.value_range" in sentence
  assert values.doubts("x", "uint16", (0.0, 4095.0), (0.0, 4095.0)) == []
  assert values.doubts("x", "uint16", (0.0, 40000.0), ()) == []
  (sentence,) = values.doubts("x", "uint16", (0.0, 4095.0), (0.0, 4000.0))
  assert "clipped" in sentence


def test_values_are_scaled_and_clipped():
  image = np.array([[[0.0, 1.0, 4.0]], [[2.0, 5.0, -1.0]]])
  for dtype in (np.float64, np.int16, np.int32):
    found = values.to_model_range(image.astype(dtype), RANGE)
    assert found.dtype == np.float32
    assert found.ravel().tolist() == [-1, -0.5, 1, 0, 1, -1]


def test_integers_without_a_range_are_kept():
  swapped = np.arange(6, dtype=">u2").reshape(1, 2, 3)
  kept = values.to_model_range(swapped, ())
  assert kept.dtype == np.dtype("=u2") and (kept == swapped).all()
  scaled = values.to_model_range(swapped, (0.0, 5.0))
  np.testing.assert_allclose(scaled, swapped * 0.4 - 1, atol=1e-6)
