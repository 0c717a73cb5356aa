"""Input images become tiles at the scale of training."""

import numpy as np
import pytest
from PIL import Image

from jaxgen.config.data import DataConfig
from jaxgen.data.input_images import Reading, list_inputs
from jaxgen.data.input_tiles import cut_images, default_cutting, describe
from jaxgen.errors import UserError

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (40, 60, 3)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
  Image.fromarray(PHOTO).save(tmp_path / "a.png")
  Image.fromarray(PHOTO[:16, :16]).save(tmp_path / "tile.png")
  return str(tmp_path)


def cut(path, cutting, side=16, **options):
  keywords = {k: options.pop(k) for k in ("upsample",) if k in options}
  images = list_inputs(path, Reading(channels=3))
  return cut_images(
    images, DataConfig(**options), side=side, cutting=cutting, **keywords
  )


def test_windows_are_parts_of_the_photograph(folder):
  photo, tile = cut(folder, "tiled")
  windows = list(photo.windows())
  assert len(windows) == len(photo.grid) == 3 * 5
  for (top, left), window in zip(photo.grid.places, windows, strict=True):
    expected = PHOTO[top : top + 16, left : left + 16]
    np.testing.assert_array_equal(window, expected)
  (window,) = tile.windows()
  np.testing.assert_array_equal(window, PHOTO[:16, :16])
  assert tile.is_tile and not photo.is_tile
  image = RNG.integers(0, 256, (40, 60, 3)).astype(np.uint8)
  assert photo.restore(image) is image


def test_crops_are_scaled_as_in_training(folder):
  """Of crops of 32 pixels, two pixels become one."""
  photo = cut(f"{folder}/a.png", "tiled", crop_size=32)[0]
  halved = PHOTO.astype(float).reshape(20, 2, 30, 2, 3).mean((1, 3))
  assert np.abs(photo.read() - halved).max() <= 1
  assert photo.restore(photo.read()).shape == PHOTO.shape


def test_a_fitted_image_is_its_center_square(folder):
  photo, tile = cut(folder, "fit")
  assert photo.read().shape == (16, 16, 3) and len(photo.grid) == 1
  np.testing.assert_array_equal(tile.read(), PHOTO[:16, :16])
  (exact,) = cut(f"{folder}/a.png", "fit", side=40)
  np.testing.assert_array_equal(exact.read(), PHOTO[:, 10:50])


@pytest.mark.parametrize("cutting", ["tiled", "fit"])
def test_images_smaller_than_a_tile(folder, cutting):
  with pytest.raises(UserError, match="a.png(.|\n)*--upsample"):
    cut(folder, cutting, side=48)
  for x in cut(folder, cutting, side=48, upsample=True):
    assert min(x.read().shape[:2]) == 48


@pytest.mark.parametrize(
  ("crop", "expected"),
  [("random", "tiled"), ("tiled", "tiled"), ("whole", "fit")],
)
def test_the_default_is_that_of_training(crop, expected):
  assert default_cutting(DataConfig(crop=crop)) == expected


def test_what_is_done_is_said(folder):
  lines = describe(cut(folder, "tiled"))
  assert lines == [
    "a.png 60 x 40: 15 windows of 16 x 16, overlapping by at least 4",
    "1 images of one tile, 16 x 16",
  ]
  lines = describe(cut(folder, "fit"))
  assert lines[0].startswith("a.png 60 x 40: its center square")
  (line,) = describe(cut(f"{folder}/a.png", "tiled", crop_size=32))
  assert "scaled to 30 x 20" in line
  many = describe(cut(folder, "tiled")[:1] * 8)
  assert len(many) == 6 and "3 more images: 45 windows" in many[-1]
