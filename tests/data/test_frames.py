"""Exposures in files of many formats."""

import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

from jaxgen.data.frames import list_frames, read_frames
from jaxgen.errors import UserError

VALUES = np.random.default_rng(0).integers(0, 4000, (5, 12, 16), np.uint16)


@pytest.mark.parametrize(
  ("shape", "expected"),
  [
    ((12, 16), (1, 12, 16, 1)),
    ((5, 12, 16), (5, 12, 16, 1)),
    ((12, 16, 3), (1, 12, 16, 3)),
    ((5, 12, 16, 4), (5, 12, 16, 4)),
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
  with pytest.raises(UserError, match=r"jaxgen\[raw\]"):
    read_frames(tmp_path / "a.dng")


def test_files_are_listed_in_order(tmp_path):
  for name in ("b.tif", "a.npy", "c.FITS", "d.txt"):
    (tmp_path / name).touch()
  names = [x.name for x in list_frames(tmp_path)]
  assert names == ["a.npy", "b.tif", "c.FITS"]
