"""The images that `restore` writes, with the metadata of the input."""

from __future__ import annotations

import pathlib

import numpy as np

from jaxgen.data.frames import open_frames
from jaxgen.formats import camera_raw, fits, tiff, tiff_metadata
from jaxgen.formats.tiff_metadata import TiffMetadata
from jaxgen.sample.restored import Restoration


def write(
  folder: pathlib.Path,
  path: pathlib.Path,
  values: np.ndarray,
  found: Restoration,
) -> None:
  """Write the results of a file as .npy and TIFF, whose pages are its
  exposures, or samples one after the other; of a FITS file as FITS too.

  Args:
    folder: the output folder.
    path: the file.
    values: its exposures.
    found: the results.
  """
  folder.mkdir(parents=True, exist_ok=True)
  metadata = _metadata(path)
  arrays = {"mean": found.mean, "std": found.std, "samples": found.samples}
  for name, x in arrays.items():
    if x is None:
      continue
    pages = x.reshape(-1, *x.shape[-3:])
    whole = values.dtype.kind in "iu" and name != "std"
    same = x.shape == values.shape
    tiff.write(
      folder / f"{name}.tif",
      _as_16_bits(pages) if whole else pages,
      metadata if same else metadata.of_other_pages(),
    )
    np.save(folder / f"{name}.npy", _squeezed(x))
    if same:
      _write_fits(folder / f"{name}.fits", path, x)


def _metadata(path: pathlib.Path) -> TiffMetadata:
  with open_frames(path) as file:
    if camera_raw.is_raw(file) or not tiff.is_tiff(file):
      return tiff_metadata.PLAIN
    return tiff_metadata.read(file)


def _write_fits(
  path: pathlib.Path, source: pathlib.Path, x: np.ndarray
) -> None:
  """Write images `(n, h, w, 1)` with the header of a FITS file; of other files
  nothing."""
  with open_frames(source) as file:
    if fits.is_fits(file):
      line = f"jaxgen restore: {path.stem} of the images without noise"
      fits.write_like(path, x[..., 0], file, history=line)


def _as_16_bits(x: np.ndarray) -> np.ndarray:
  """Values rounded to uint16, or unchanged if it does not hold them."""
  rounded = np.rint(x)
  most = np.iinfo(np.uint16).max
  fits = rounded.min() >= 0 and rounded.max() <= most
  return rounded.astype(np.uint16) if fits else x


def _squeezed(x: np.ndarray) -> np.ndarray:
  """Images `(..., n, h, w, c)` without the axes of a single image and a single
  channel."""
  axes = [axis for axis in (-4, -1) if x.shape[axis] == 1]
  return np.squeeze(x, tuple(axes))
