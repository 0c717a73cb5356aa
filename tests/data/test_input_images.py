"""The user's images are read as training images are."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jaxgen.config.data import DataConfig
from jaxgen.data.input_images import Reading, list_inputs, recorded_reading
from jaxgen.data.input_tiles import cut_images
from jaxgen.errors import UserError

RNG = np.random.default_rng(0)
COLOR = RNG.integers(0, 256, (20, 30, 3)).astype(np.uint8)


def load_images(
  path, *, resolution, channels, upsample=False, bits=None, value_range=()
):
  """The names and the center squares at one size."""
  reading = Reading(channels=channels, bits=bits, value_range=value_range)
  tiles = cut_images(
    list_inputs(path, reading),
    DataConfig(),
    side=resolution,
    cutting="fit",
    upsample=upsample,
  )
  return [x.image.name for x in tiles], np.stack([x.read() for x in tiles])


def encode(pixels, kind="PNG"):
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, kind)
  return file.getvalue()


def test_loading_a_folder(tmp_path):
  for name in ("b/2.PNG", "a/1.png", ".hidden/3.png", "a/._1.png"):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(encode(COLOR))
  (tmp_path / "notes.txt").write_text("no image")
  for channels in (1, 3):
    names, pixels = load_images(str(tmp_path), resolution=10, channels=channels)
    assert names == ["a/1.png", "b/2.PNG"]
    assert pixels.shape == (2, 10, 10, channels) and pixels.dtype == np.uint8
  center = COLOR[:, 5:25].astype(float).reshape(10, 2, 10, 2, 3).mean((1, 3))
  assert np.abs(pixels[0] - center).max() <= 1
  path = str(tmp_path / "a/1.png")
  names, one = load_images(path, resolution=10, channels=3)
  assert names == ["1.png"] and np.array_equal(one[0], pixels[0])


def test_all_that_cannot_be_loaded_is_named(tmp_path):
  with pytest.raises(UserError, match="no images"):
    load_images(str(tmp_path), resolution=8, channels=3)
  (tmp_path / "small.png").write_bytes(encode(COLOR[:4, :4]))
  (tmp_path / "torn.jpg").write_bytes(encode(COLOR, "JPEG")[:300])
  with pytest.raises(UserError, match="1 unusable.*torn.jpg"):
    load_images(str(tmp_path), resolution=8, channels=3)
  (tmp_path / "torn.jpg").unlink()
  with pytest.raises(UserError, match="small.png(.|\n)*--upsample"):
    load_images(str(tmp_path), resolution=8, channels=3)
  _, pixels = load_images(
    str(tmp_path), resolution=8, channels=3, upsample=True
  )
  assert pixels.shape == (1, 8, 8, 3)


def test_decompression_bombs_are_refused(tmp_path):
  Image.new("1", (10000, 9000)).save(tmp_path / "bomb.png")  # 90 megapixels
  with pytest.warns(Image.DecompressionBombWarning):
    with pytest.raises(UserError, match="bomb.png: .*decompression"):
      load_images(str(tmp_path), resolution=8, channels=1)


def test_the_greater_depth_is_kept(tmp_path):
  deep = RNG.integers(0, 65536, (10, 10)).astype(np.uint16)
  Image.fromarray(deep).save(tmp_path / "a.png")
  (tmp_path / "b.png").write_bytes(encode(COLOR[:10, :10]))
  _, pixels = load_images(str(tmp_path), resolution=10, channels=3)
  assert pixels.dtype == np.uint16
  assert (pixels[0] == deep[..., None]).all()
  assert (pixels[1] == COLOR[:10, :10] * np.uint16(257)).all()


def test_the_value_range_is_that_of_the_training_data(tmp_path):
  values = RNG.integers(0, 4096, (10, 10)).astype(np.uint16)
  values[0, :2] = 0, 4095
  Image.fromarray(values).save(tmp_path / "a.tif")
  _, pixels = load_images(
    str(tmp_path), resolution=10, channels=1, value_range=(0.0, 4095.0)
  )
  expected = values / 4095 * 2 - 1
  np.testing.assert_allclose(pixels[0, ..., 0], expected, atol=1e-6)


def test_every_page_is_an_image(tmp_path):
  first, *others = (Image.new("L", (10, 10), 40 * i) for i in range(3))
  first.save(tmp_path / "a.tif", save_all=True, append_images=others)
  names, pixels = load_images(str(tmp_path), resolution=10, channels=1)
  assert names == [f"a page {i}.tif" for i in range(3)]
  assert [x.mean() for x in pixels] == [0, 40, 80]


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (16, np.uint16)])
def test_the_bits_are_those_of_the_training_data(tmp_path, bits, dtype):
  (tmp_path / "data_report.json").write_text(f'{{"bits": {bits}}}')
  reading = recorded_reading(tmp_path, DataConfig(channels=1))
  deep = RNG.integers(0, 65536, (10, 10)).astype(np.uint16)
  shallow = (deep >> 8).astype(np.uint8)
  expected = shallow if bits == 8 else shallow * np.uint16(257)
  folder = tmp_path / "images"
  folder.mkdir()
  (folder / "a.png").write_bytes(encode(shallow))
  pixels = list_inputs(str(folder), reading)[0].read()
  assert pixels.dtype == dtype
  np.testing.assert_array_equal(pixels[..., 0], expected)
  Image.fromarray(deep).save(folder / "a.png")
  pixels = list_inputs(str(folder), reading)[0].read()
  assert pixels.dtype == dtype
  kept = deep if bits == 16 else shallow
  np.testing.assert_array_equal(pixels[..., 0], kept)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"bits": "x"}', "{"])
def test_older_runs_have_no_bits(tmp_path, text):
  if text:
    (tmp_path / "data_report.json").write_text(text)
  assert recorded_reading(tmp_path, DataConfig()).bits is None


def test_other_values_than_those_of_training_are_refused(tmp_path):
  """Rather than read as almost black, or clipped."""
  options: dict[str, Any] = {"resolution": 10, "channels": 1, "bits": 16}
  options["value_range"] = (0.0, 4095.0)
  path = tmp_path / "a.png"
  path.write_bytes(encode(COLOR[:10, :10, 0]))
  with pytest.raises(UserError, match="a.png: expected values of 16 bits"):
    load_images(str(path), **options)
  Image.fromarray(np.full((10, 10), 50000, np.uint16)).save(path)
  with pytest.raises(UserError, match="a.png: outside data.value_range"):
    load_images(str(path), **options)
