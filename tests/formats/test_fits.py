"""Images of FITS files."""

import sys

import numpy as np
import pytest

from jaxgen.config.data import DataConfig
from jaxgen.data.files.folder import folder
from jaxgen.errors import UserError
from jaxgen.formats import fits, image_files

TYPES = (np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64)


def values(dtype, shape=(20, 30)):
  rng = np.random.default_rng(0)
  return rng.integers(0, 200, shape).astype(dtype)


def write(path, *images):
  """A file with an empty first unit, a table and images."""
  files = pytest.importorskip("astropy.io.fits")
  column = files.Column("x", "E", array=np.zeros(3))
  table = files.BinTableHDU.from_columns([column])
  units = [files.ImageHDU(image) for image in images]
  files.HDUList([files.PrimaryHDU(), table, *units]).writeto(path)
  return path


@pytest.mark.parametrize("dtype", TYPES)
def test_values_are_those_stored(tmp_path, dtype):
  stored = values(dtype)
  path = write(tmp_path / "a.fits", stored, values(dtype, (3, 8, 9)))
  with path.open("rb") as file:
    assert fits.is_fits(file) and fits.pages(file) == (2, 3)
    found = fits.read_page(file, 2, max_pixels=10**6)
    np.testing.assert_array_equal(found[..., 0], stored)
    assert found.dtype == dtype and found.dtype.isnative
    assert fits.read_page(file, 3, max_pixels=10**6).shape == (8, 9, 3)
    with pytest.raises(ValueError, match="pixels"):
      fits.read_page(file, 2, max_pixels=10)


def test_damaged_files_and_missing_values_are_named(tmp_path):
  path = write(tmp_path / "a.fits", values(np.float32))
  (tmp_path / "cut.fits").write_bytes(path.read_bytes()[:-2880])
  bad = values(np.float32)
  bad[3, 4] = np.nan
  write(tmp_path / "nan.fits", bad)
  write(tmp_path / "table.fits")
  paths = [tmp_path / f"{x}.fits" for x in ("cut", "nan", "table")]
  cut, nan, table = image_files.check_files(paths, threads=1)
  assert isinstance(cut, str)
  assert "finite" in str(nan) and "image" in str(table)


def test_without_the_package_an_error_names_the_extra(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "astropy.io.fits", None)
  fits._module.cache_clear()
  path = tmp_path / "a.fits"
  path.write_bytes(b"SIMPLE  =                    T".ljust(2880))
  (found,) = image_files.check_files([path], threads=1)
  assert isinstance(found, str) and "jaxgen[astronomy]" in found


def test_files_train_with_their_value_range(tmp_path):
  """NaN is bad; skipped, the others are scaled from black and white."""
  for i in range(4):
    image = values(np.float32, (16, 16)) + i
    image[0, 0] = np.nan if i == 3 else 0
    write(tmp_path / f"{i}.fits", image)
  options = DataConfig(
    source="folder", path=str(tmp_path), channels=1, value_range=(-100, 300)
  )
  with pytest.raises(UserError, match="finite"):
    folder(options, "train", 16)
  skipping = DataConfig(**{**vars(options), "on_bad": "skip"})
  source = folder(skipping, "train", 16)
  assert [*source.findings.skipped.values()] == [["3.fits"]]
  assert source.findings.images == {"train": 2, "validation": 1}
  corner = source.read(0)["image"][0, 0, 0]
  assert corner == pytest.approx(-0.5)
