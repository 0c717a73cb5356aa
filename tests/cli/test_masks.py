"""Masks for editing are read as those for training."""

import numpy as np
import pytest
from PIL import Image

from jaxgen.cli import masks
from jaxgen.config.data import DataConfig
from jaxgen.data.input_images import Reading, list_inputs
from jaxgen.data.input_tiles import cut_images
from jaxgen.errors import UserError
from jaxgen.formats import image_files

WIDTH, HEIGHT = 24, 16


@pytest.fixture
def labels():
  labels = np.zeros((HEIGHT, WIDTH), np.uint8)
  labels[2:7, 3:9] = 1
  return labels


def save(path, pixels, **options):
  Image.fromarray(pixels).save(path, **options)
  return path


@pytest.mark.parametrize("white", [1, 255])
@pytest.mark.parametrize("channels", [1, 3])
def test_white_pixels_are_the_mask(tmp_path, labels, white, channels):
  pixels = np.stack([labels * np.uint8(white)] * channels, -1).squeeze()
  path = save(tmp_path / "m.png", pixels)
  np.testing.assert_array_equal(masks.read_mask(path), labels > 0)


def test_a_mask_is_upright_as_in_training(tmp_path, labels):
  exif = Image.Exif()
  exif[0x0112] = 6
  path = save(tmp_path / "m.png", labels * np.uint8(255), exif=exif)
  mask = masks.read_mask(path)
  np.testing.assert_array_equal(mask, np.rot90(labels, -1) > 0)
  np.testing.assert_array_equal(mask, image_files.read_labels(path) > 0)


@pytest.mark.parametrize("mode", ["1", "I;16", "P"])
def test_modes_of_masks(tmp_path, labels, mode):
  image = Image.fromarray(labels * np.uint8(255))
  if mode == "I;16":
    image = Image.fromarray(labels * np.uint16(65535))
  image.convert(mode).save(tmp_path / "m.png")
  np.testing.assert_array_equal(masks.read_mask(tmp_path / "m.png"), labels > 0)


@pytest.mark.parametrize("kind", ["black", "transparent", "text"])
def test_what_is_no_mask_is_named(tmp_path, labels, kind):
  path = tmp_path / "m.png"
  if kind == "text":
    path.write_text("hello")
  elif kind == "black":
    save(path, labels * np.uint8(0))
  else:
    save(path, np.stack([labels * np.uint8(255)] * 4, -1))
  with pytest.raises(UserError, match="--mask="):
    masks.read_mask(path)


def tile(path, side, cutting, crop_size=0):
  options = DataConfig(crop_size=crop_size)
  images = list_inputs(str(path), Reading(channels=3))
  return cut_images(images, options, side=side, cutting=cutting)


def test_a_mask_is_cut_and_resized_as_its_image(tmp_path, labels):
  image = save(
    tmp_path / "image.png", np.stack([labels * np.uint8(200)] * 3, -1)
  )
  where = {"path": tmp_path / "mask.png"}
  square = tile(image, HEIGHT, "fit")
  (mask,) = masks.fit_masks(labels > 0, square, **where)
  np.testing.assert_array_equal(mask, labels[:, 4:20] > 0)
  np.testing.assert_array_equal(masks.fit_original(labels > 0, square[0]), mask)
  (small,) = masks.fit_masks(labels > 0, tile(image, 8, "fit"), **where)
  assert small.shape == (8, 8)
  assert masks.fit_masks(mask, square, **where)[0] is mask
  with pytest.raises(UserError, match="24 x 10 for image.png 24 x 16"):
    masks.fit_masks(labels[:10] > 0, square, **where)


def test_a_mask_of_a_tiled_image_keeps_its_size_or_is_scaled(tmp_path, labels):
  image = save(
    tmp_path / "image.png", np.stack([labels * np.uint8(200)] * 3, -1)
  )
  where = {"path": tmp_path / "mask.png"}
  whole = tile(image, 8, "tiled")
  (mask,) = masks.fit_masks(labels > 0, whole, **where)
  np.testing.assert_array_equal(mask, labels > 0)
  scaled = tile(image, 8, "tiled", crop_size=16)
  (mask,) = masks.fit_masks(labels > 0, scaled, **where)
  assert mask.shape == (8, 12)
  np.testing.assert_array_equal(
    masks.fit_original(labels > 0, scaled[0]), labels > 0
  )


def test_a_mask_of_what_is_not_used_is_refused(tmp_path, labels):
  image = save(
    tmp_path / "image.png", np.stack([labels * np.uint8(200)] * 3, -1)
  )
  edge = np.zeros((HEIGHT, WIDTH), bool)
  edge[:, :2] = True
  with pytest.raises(UserError, match="mask.png.*white pixels"):
    masks.fit_masks(edge, tile(image, 8, "fit"), path=tmp_path / "mask.png")
