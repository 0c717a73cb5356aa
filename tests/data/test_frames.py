"""Exposures in files of many formats."""

import sys

import numpy as np
import pytest
import tifffile
from PIL import Image
from support.cameras import write_dng

from jaxgen.data.frames import list_frames, read_frames
from jaxgen.errors import UserError
from jaxgen.formats import fits

VALUES = np.random.default_rng(0).integers(0, 4000, (5, 12, 16), np.uint16)


@pytest.mark.parametrize(
  ("shape", "expected"),
  [
    ((12, 16), (1, 12, 16, 1)),
    ((5, 12, 16), (5, 12, 16, 1)),
    ((12, 16, 3), (1, 12, 16, 3)),
    ((5, 12, 16, 4), (5, 12, 16, 4)),
    ((1, 12, 16, 9), (1, 12, 16, 9)),
    ((17, 18, 16), (1, 17, 18, 16)),
    ((17, 16, 16), (17, 16, 16, 1)),
    ((40, 40, 17), (40, 40, 17, 1)),
  ],
)
def test_arrays_are_exposures(shape, expected, tmp_path):
  np.save(tmp_path / "a.npy", np.ones(shape))
  assert read_frames(tmp_path / "a.npy").values.shape == expected


def test_other_arrays_of_a_file_are_passed_over(tmp_path):
  np.savez(tmp_path / "a.npz", frames=VALUES, shifts=np.zeros((5, 2)))
  found = read_frames(tmp_path / "a.npz").values
  np.testing.assert_array_equal(found[..., 0], VALUES)


def test_pages_are_exposures(tmp_path):
  tifffile.imwrite(tmp_path / "a.tif", VALUES, photometric="minisblack")
  found = read_frames(tmp_path / "a.tif").values
  np.testing.assert_array_equal(found[..., 0], VALUES)


def test_losses_are_noted(tmp_path):
  Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.jpg")
  assert "losses" in read_frames(tmp_path / "a.jpg").notes[0]


@pytest.mark.parametrize(
  "arrays",
  [
    {"a": VALUES, "b": VALUES},
    {"a": np.zeros(3)},
    {"a": np.array([["x", "y"]])},
    {"a": np.zeros((0, 4, 4))},
  ],
)
def test_other_files_are_refused(arrays, tmp_path):
  np.savez(tmp_path / "a.npz", **arrays)
  with pytest.raises(UserError, match="a.npz"):
    read_frames(tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.tif", "a.png"])
def test_damaged_files_are_refused(name, tmp_path):
  (tmp_path / name).write_bytes(b"nothing")
  with pytest.raises(UserError, match=name):
    read_frames(tmp_path / name)


def test_without_rawpy_the_extra_is_named(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "rawpy", None)
  (tmp_path / "a.dng").touch()
  with pytest.raises(UserError, match=r"jaxgen\[raw\]"):
    read_frames(tmp_path / "a.dng")


def test_without_astropy_the_extra_is_named(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "astropy.io.fits", None)
  fits._module.cache_clear()
  (tmp_path / "a.fits").write_bytes(b"SIMPLE  =".ljust(2880))
  with pytest.raises(UserError, match=r"jaxgen\[astronomy\]"):
    read_frames(tmp_path / "a.fits")


@pytest.mark.parametrize("name", ["a.fits", "a.fits.gz"])
@pytest.mark.parametrize("frames", [1, 5])
def test_the_first_image_or_cube_of_fits_is_read(frames, name, tmp_path):
  files = pytest.importorskip("astropy.io.fits")
  first = VALUES[0] if frames == 1 else VALUES
  units = [files.PrimaryHDU(), files.ImageHDU(first), files.ImageHDU(VALUES)]
  units[0].header["SATURATE"] = 60000.0
  units[1].header["BLKLEVEL"] = 100
  files.HDUList(units).writeto(tmp_path / name)
  found = read_frames(tmp_path / name)
  np.testing.assert_array_equal(found.values[..., 0], VALUES[:frames])
  assert found.values.dtype == VALUES.dtype and found.values.dtype.isnative
  assert (found.black, found.white) == (100, 60000)


def test_a_raw_file_is_an_exposure_of_four_channels(tmp_path):
  pytest.importorskip("rawpy")
  sensor = 512 + VALUES[0].repeat(4, 0).repeat(4, 1)
  found = read_frames(write_dng(tmp_path / "a.dng", sensor))
  assert found.values.shape == (1, 24, 32, 4)
  np.testing.assert_array_equal(found.values[0, ..., 3], sensor[1::2, 1::2])
  np.testing.assert_array_equal(found.black, np.full((1, 1, 4), 512))
  assert found.white == 16383


def test_files_are_listed_in_order(tmp_path):
  for name in ("b.tif", "a.npy", "c.FITS", "d.txt"):
    (tmp_path / name).touch()
  names = [x.name for x in list_frames(tmp_path)]
  assert names == ["a.npy", "b.tif", "c.FITS"]
