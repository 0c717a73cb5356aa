"""Packed mosaics of raw files."""

import numpy as np
import pytest
from support.cameras import write_dng

from jaxgen.formats import camera_raw, image_files

PATTERNS = ("RGGB", "BGGR", "GRBG", "GBRG")


def sensor(height=8, width=12):
  rng = np.random.default_rng(0)
  return rng.integers(512, 16000, (height, width)).astype(np.uint16)


def letters(pattern, side=6):
  return np.tile(np.array(list(pattern)).reshape(2, 2), (side // 2, side // 2))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_channels_are_red_two_greens_and_blue(pattern):
  mosaic = letters(pattern, 8)
  packed = camera_raw.pack(mosaic, camera_raw.bayer_places(mosaic))
  assert packed.shape == (4, 4, 4)
  assert (packed == np.array(list("RGGB"))).all()


def test_greens_are_told_apart_by_their_rows():
  mosaic = letters("GBRG")  # red and its green are in the second row
  places = camera_raw.bayer_places(mosaic)
  assert places == [(1, 0), (1, 1), (0, 0), (0, 1)]


def test_an_odd_row_and_column_are_dropped():
  places = camera_raw.bayer_places(letters("RGGB"))
  assert camera_raw.pack(sensor(9, 13), places).shape == (4, 6, 4)


@pytest.mark.parametrize(
  "mosaic", [letters("RGBG"), letters("GGGG"), letters("RGGB").T[::-1] + "x"]
)
def test_other_sensors_are_refused(mosaic):
  with pytest.raises(ValueError, match="Bayer"):
    camera_raw.bayer_places(mosaic)
  changed = letters("RGGB")
  changed[4, 4] = "B"
  with pytest.raises(ValueError, match="Bayer"):
    camera_raw.bayer_places(changed)


def test_without_the_package_an_error_names_the_extra(tmp_path, monkeypatch):
  monkeypatch.setitem(__import__("sys").modules, "rawpy", None)
  path = write_dng(tmp_path / "a.dng", sensor())
  (found,) = image_files.check_files([path], threads=1)
  assert isinstance(found, str) and "jaxgen[raw]" in found


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_raw_file_is_four_channels_of_its_values(tmp_path, pattern):
  pytest.importorskip("rawpy")
  stored = sensor(64, 96)
  path = write_dng(tmp_path / "a.dng", stored, pattern)
  with path.open("rb") as file:
    found = camera_raw.read(file, max_pixels=10**6)
  assert found.pattern == pattern
  assert found.black == (512,) * 4 and found.white == 16383
  places = camera_raw.bayer_places(letters(pattern))
  np.testing.assert_array_equal(found.values, camera_raw.pack(stored, places))
  (info,) = image_files.check_files([path], threads=1)
  assert isinstance(info, image_files.ImageInfo)
  assert (info.channels, info.bits) == (4, 16) and pattern in info.note
  with path.open("rb") as file, pytest.raises(ValueError, match="pixels"):
    camera_raw.read(file, max_pixels=10)
