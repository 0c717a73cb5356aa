import numpy as np
import pytest
from support.pictures import read

from jaxgen.cli import outputs
from jaxgen.errors import UserError
from jaxgen.formats import image_pixels


def test_images_are_named_after_their_files_and_stay_below_the_folder():
  assert outputs.file_names(["a/0.jpg", "b"]) == ["a/0.png", "b.png"]
  assert outputs.file_names(["x.png", "x.jpg"]) == ["x.png.png", "x.jpg.png"]
  assert outputs.file_names(["../../etc/x.png", "/y.png"]) == [
    "etc/x.png",
    "y.png",
  ]
  assert outputs.file_names(["x", "x"]) == ["00000 x.png", "00001 x.png"]
  assert outputs.file_names(["..", "y.png"]) == [
    "00000 .png",
    "00001 y.png.png",
  ]


def test_names_without_what_no_file_name_can_hold():
  assert outputs.file_names(["a\0b.png"]) == ["ab.png"]


def test_enlarged_images_are_not_that_large_in_the_grid(tmp_path):
  images = np.zeros((4, 8, 8, 1), np.uint8)
  outputs.write_images(tmp_path, ["a", "b", "c", "d"], images, resize=1024)
  assert read(tmp_path / "a.png").shape[:2] == (1024, 1024)
  assert max(read(tmp_path / "grid.png").shape) < 600


@pytest.mark.parametrize("stored", [1, 2, 3, 4, 5, 16])
def test_of_many_channels_all_are_in_a_tiff_beside_the_picture(
  tmp_path, stored
):
  shape = (2, 8, 8, stored)
  images = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
  outputs.write_images(tmp_path, ["a", "b"], images)
  shown = images[0, ..., :3] if stored > 2 else images[0, ..., 0]
  np.testing.assert_array_equal(read(tmp_path / "a.png"), shown)
  tiffs = sorted(path.name for path in tmp_path.glob("*.tif"))
  assert tiffs == ([] if stored in (1, 3) else ["a.tif", "b.tif"])
  for path, image in zip(tiffs, images, strict=False):
    again = image_pixels.read((tmp_path / path).read_bytes()).values
    np.testing.assert_array_equal(again, image)


def test_a_picture_shows_the_chosen_channels(tmp_path):
  images = np.random.default_rng(0).integers(0, 255, (1, 8, 8, 4), np.uint8)
  outputs.write_images(tmp_path, ["a"], images, channels=(0, 1, 3), resize=16)
  large = images[0][..., [0, 1, 3]].astype(int)
  found = read(tmp_path / "a.png").reshape(8, 2, 8, 2, 3).mean((1, 3))
  assert abs(found - large).mean() < 20
  assert read(tmp_path / "grid.png").shape[-1] == 3


def test_images_of_any_sizes_show_the_chosen_channels(tmp_path):
  rng = np.random.default_rng(0)
  images = [rng.integers(0, 255, (8, w, 4), np.uint8) for w in (8, 12)]
  shown = outputs.write_each(tmp_path, ["a", "b"], images, channels=(3, 2, 0))
  for name, image, seen in zip("ab", images, shown, strict=True):
    expected = image[..., [3, 2, 0]]
    np.testing.assert_array_equal(read(tmp_path / f"{name}.png"), expected)
    np.testing.assert_array_equal(seen, expected)
    again = image_pixels.read((tmp_path / f"{name}.tif").read_bytes()).values
    np.testing.assert_array_equal(again, image)


def test_no_image_takes_the_name_of_a_summary():
  assert outputs.file_names(["grid.png"]) == ["grid.png.png"]
  assert outputs.file_names(["compare"]) == ["00000 compare.png"]
  assert outputs.file_names(["a/grid.png"]) == ["a/grid.png"]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kernel", ["lanczos", "bicubic"])
def test_enlarging_keeps_a_ramp_a_ramp(channels, kernel):
  ramp = np.linspace(0, 255, 16).round().astype(np.uint8)
  image = np.broadcast_to(ramp[None, :, None], (16, 16, channels))
  large = outputs.resample(image, 64, kernel).astype(int)
  assert large.shape == (64, 64, channels)
  steps = np.diff(large[:, 8:-8, 0], axis=1)
  assert (abs(steps - 255 / 15 / 4) <= 2).all()


def test_a_folder_that_cannot_be_made_is_refused_at_once(tmp_path):
  (tmp_path / "file").write_text("mine")
  for path in (tmp_path / "file", tmp_path / "file" / "below"):
    with pytest.raises(UserError, match="--out"):
      outputs.check_folder(path)
  assert (tmp_path / "file").read_text() == "mine"
  outputs.check_folder(tmp_path / "new")
  outputs.check_folder(tmp_path / "new" / "below")
  assert not (tmp_path / "new").exists()
