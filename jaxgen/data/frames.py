"""Exposures in files of many formats, with their values as they are stored."""

from __future__ import annotations

import gzip
import pathlib
from typing import BinaryIO, NamedTuple, cast

import numpy as np

from jaxgen.data.files import named_arrays
from jaxgen.errors import UserError
from jaxgen.formats import (
  camera_raw,
  fits,
  fits_noise,
  image_files,
  image_pixels,
)
from jaxgen.formats.file_tree import files_below

ARRAYS = (".npy", ".npz")
SUFFIXES = (*ARRAYS, *image_files.SUFFIXES)
_LOSSY = (".jpg", ".jpeg", ".jfif", ".jpe", ".webp")
_CHANNELS = 4  # of a last axis that is always that of channels
_MOST_CHANNELS = 16  # of one that is if both others are longer


class Frames(NamedTuple):
  """Exposures of one size.

  Attributes:
    values: `(k, h, w, c)`, numbers of any type.
    black: level that the file states, in DN, or those of the channels
      (1, 1, c); None: it does not.
    white: the same of saturated values.
    notes: what a user should know about the reading.
    pattern: the colors of the first 2 x 2 pixels of a raw file's sensor, row by
      row; empty: it is no raw file.
  """

  values: np.ndarray
  black: float | np.ndarray | None = None
  white: float | None = None
  notes: tuple[str, ...] = ()
  pattern: str = ""


def list_frames(folder: pathlib.Path) -> list[pathlib.Path]:
  """The files of exposures below a folder, sorted."""
  return files_below(folder, SUFFIXES)


def read_frames(path: pathlib.Path) -> Frames:
  """The exposures of a file: an array `(h, w)`, `(k, h, w)`, `(k, h, w, c)` or,
  with at most 4 channels, or 16 and fewer than rows and columns, `(h, w, c)`;
  the pages of a TIFF; an image;
  the first image or cube of a FITS file, compressed by gzip or not; a camera
  raw file as the four channels of its mosaic, see `camera_raw`.

  Raises:
    UserError: the file is missing, damaged or of no numbers, or a library that
      reads it is not installed.
  """
  try:
    found = _read(path)
  except UserError:
    raise
  except Exception as e:  # of any of the libraries
    raise UserError(f"{path}: {image_files.reason(e)}.") from e
  if found.values.dtype.kind not in "fiu" or not found.values.size:
    raise UserError(
      f"{path}: expected numbers, got {found.values.dtype}"
      f" {found.values.shape}."
    )
  return found


def _read(path: pathlib.Path) -> Frames:
  suffix = path.suffix.lower()
  if suffix in ARRAYS:
    return Frames(_four_axes(_array(path)))
  with open_frames(path) as file:
    if camera_raw.is_raw(file):
      return _of_raw(file)
    if fits.is_fits(file):
      return _of_fits(file)
    pages = image_pixels.pages(file)
    values = [image_pixels.read(file, page=x).values for x in pages]
  note = f"{path.name}: a format with losses, which alter the noise"
  return Frames(np.stack(values), notes=(note,) if suffix in _LOSSY else ())


def open_frames(path: pathlib.Path) -> BinaryIO:
  """Open a file for reading, expanded if it is compressed by gzip."""
  if path.suffix.lower() == ".gz":
    return cast(BinaryIO, gzip.open(path))
  return path.open("rb")


def _of_raw(file: BinaryIO) -> Frames:
  mosaic = camera_raw.read(file, max_pixels=image_pixels.max_pixels())
  return Frames(
    mosaic.values[None],
    np.array(mosaic.black)[None, None],
    mosaic.white,
    pattern=mosaic.pattern,
  )


def _of_fits(file: BinaryIO) -> Frames:
  """The planes of the first image, as exposures."""
  limit = image_pixels.max_pixels()
  values = fits.read_page(file, fits.pages(file)[0], max_pixels=limit)
  black, white = fits_noise.levels(fits.read_header(file))
  return Frames(np.moveaxis(values, 2, 0)[..., None], black, white)


def _array(path: pathlib.Path) -> np.ndarray:
  """The array of a file that may be exposures: there must be one."""
  stamp = named_arrays.stamp_of(path)
  headers = named_arrays.headers(str(path), stamp)
  keys = [key for key, x in headers.items() if len(x.shape) in (3, 4)]
  keys = keys or [key for key, x in headers.items() if len(x.shape) == 2]
  if len(keys) != 1:
    raise ValueError(
      f"expected one array of exposures, (k, h, w), got {', '.join(keys)}"
      if keys
      else "expected an array of exposures, (k, h, w)"
    )
  file = named_arrays.ArrayFile(str(path), keys[0], stamp)
  return named_arrays.open_array(file)


def _four_axes(values: np.ndarray) -> np.ndarray:
  """An array as exposures `(k, h, w, c)`."""
  values = values if _has_channels(values) else values[..., None]
  return values if values.ndim == 4 else values[None]


def _has_channels(values: np.ndarray) -> bool:
  """Whether the last axis of an array is that of channels."""
  *others, last = values.shape
  several = last <= min(_MOST_CHANNELS, *(n - 1 for n in others))
  return values.ndim == 4 or (
    values.ndim == 3 and (last <= _CHANNELS or several)
  )
