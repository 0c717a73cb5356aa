"""Metadata of TIFF files, written with other values."""

import io

import numpy as np
import pytest
import tifffile

from jaxgen.formats import tiff, tiff_metadata

VALUES = np.random.default_rng(0).integers(0, 4000, (6, 8, 9), np.uint16)


def of(**keywords):
  file = io.BytesIO()
  tifffile.imwrite(file, VALUES, photometric="minisblack", **keywords)
  return tiff_metadata.read(file)


def written(tmp_path, metadata, pages):
  tiff.write(tmp_path / "a.tif", pages[..., None], metadata)
  return tifffile.TiffFile(tmp_path / "a.tif")


def test_texts_and_resolution_are_kept(tmp_path):
  tags = [
    (271, 2, 0, "A camera", True),
    (306, 2, 0, "2026:01:02 03:04:05", True),
  ]
  found = of(
    description="cells of day 3",
    resolution=(300, 200),
    resolutionunit="CENTIMETER",
    extratags=tags,
    iccprofile=b"profile",
    metadata=None,
  )
  with written(tmp_path, found, VALUES / np.float32(3)) as file:
    page = file.pages.first
    texts = [page.tags[k].value for k in (271, 306)]
    profile = page.iccprofile
  assert page.description == "cells of day 3" and page.dtype == np.float32
  assert page.resolution == (300, 200) and page.resolutionunit == 3
  assert texts == ["A camera", "2026:01:02 03:04:05"] and profile == b"profile"
  with written(tmp_path, found.of_other_pages(), VALUES[:1]) as file:
    page = file.pages.first
    assert page.description and page.resolution == (1, 1)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_imagej_keeps_axes_labels_and_pixel_size(tmp_path, dtype):
  metadata = {
    "axes": "TCYX",
    "spacing": 0.5,
    "unit": "um",
    "Labels": [str(i) for i in range(6)],
    "Ranges": (0.0, 10.0, 0.0, 20.0),
    "min": 0.0,
    "max": 10.0,
  }
  file = io.BytesIO()
  shaped = VALUES.reshape(3, 2, 8, 9)
  tifffile.imwrite(
    file, shaped, imagej=True, resolution=(10, 10), metadata=metadata
  )
  metadata_read = tiff_metadata.read(file)
  with written(tmp_path, metadata_read, VALUES.astype(dtype)) as found:
    assert found.is_imagej and found.series[0].axes == "TCYX"
    assert found.series[0].shape == (3, 2, 8, 9)
    known = found.imagej_metadata or {}
    resolution = found.pages.first.resolution
  assert known["Labels"] == metadata["Labels"] and known["unit"] == "um"
  assert not {"min", "max", "Ranges"} & known.keys()
  assert resolution == (10, 10)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_ome_keeps_axes_and_pixel_size(tmp_path, dtype):
  file = io.BytesIO()
  tifffile.imwrite(
    file,
    VALUES.reshape(3, 2, 8, 9),
    ome=True,
    metadata={
      "axes": "ZCYX",
      "PhysicalSizeX": 0.1,
      "PhysicalSizeXUnit": "µm",
      "SignificantBits": 12,
      "Channel": {"Name": ["DAPI", "GFP"]},
    },
  )
  metadata = tiff_metadata.read(file)
  with written(tmp_path, metadata, VALUES.astype(dtype)) as found:
    series, text = found.series[0], found.ome_metadata or ""
    values = series.asarray()
  assert series.axes == "ZCYX" and series.dtype == dtype
  assert np.array_equal(values.reshape(VALUES.shape), VALUES)
  for word in ('PhysicalSizeX="0.1"', "µm", "DAPI"):
    assert word in text
  assert "SignificantBits" not in text


def test_order_of_pages_is_not_kept_for_others():
  file = io.BytesIO()
  tifffile.imwrite(file, VALUES, ome=True, metadata={"axes": "ZYX"})
  found = tiff_metadata.read(file)
  assert found.pages and not found.of_other_pages().description


def test_a_shape_is_not_kept():
  assert not of().description
  assert of(metadata={"exposure": 3}).description == '{"exposure": 3}'
