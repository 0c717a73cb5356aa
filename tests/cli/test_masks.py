"""Masks for editing are read as those for training."""

import numpy as np
import pytest
from PIL import Image

from jaxgen.cli import masks
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


def test_a_mask_is_cut_and_resized_as_its_image(tmp_path, labels):
  image = save(
    tmp_path / "image.png", np.stack([labels * np.uint8(200)] * 3, -1)
  )
  where = {"files": [image], "path": tmp_path / "mask.png"}
  mask = masks.fit_mask(labels > 0, HEIGHT, **where)
  np.testing.assert_array_equal(mask, labels[:, 4:20] > 0)
  assert masks.fit_mask(labels > 0, 8, **where).shape == (8, 8)
  square = mask.copy()
  assert masks.fit_mask(square, HEIGHT, **where) is square
  with pytest.raises(UserError, match="mask.png.*24 x 16.*got 24 x 10"):
    masks.fit_mask(labels[:10] > 0, 8, **where)
