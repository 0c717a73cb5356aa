"""Images in FITS files, by astropy (the extra `astronomy`).

Each image of two or three axes is a page; planes of a third axis are channels.
Values are in the units of the file (BSCALE and BZERO are applied), and the
first row is the one that the file has first, usually the lowest in the sky.
Missing values are NaN.
"""

from __future__ import annotations

import functools
import io
import pathlib
import warnings
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from jaxgen.formats import extras
from jaxgen.formats.atomic import replacing

SUFFIXES = (".fits", ".fit", ".fts")
_MAGIC = b"SIMPLE  ="
_OF_VALUES = "BLANK CHECKSUM DATASUM DATAMIN DATAMAX".split()  # not kept
Header = Mapping[str, tuple[object, str]]  # keyword -> value and comment


def is_fits(file: BinaryIO) -> bool:
  """Whether a file begins as FITS."""
  file.seek(0)
  return file.read(len(_MAGIC)) == _MAGIC


def pages(file: BinaryIO) -> tuple[int, ...]:
  """The indices of a file's images; tables are passed over.

  Raises:
    Exception: of many kinds, by astropy: the file is damaged; ValueError: it
      has no images, or astropy is not installed.
  """
  with _open(file) as units:
    found = tuple(i for i, unit in enumerate(units) if _is_image(unit))
  if not found:
    raise ValueError("FITS without an image of two or three axes")
  return found


def read_page(file: BinaryIO, page: int, *, max_pixels: int) -> np.ndarray:
  """The values (h, w, c) of an image, in native byte order.

  Raises:
    Exception: as `pages`; ValueError: it is too large.
  """
  with _open(file) as units:
    unit = units[page if _is_image(units[page]) else pages(file)[0]]
    if unit.shape[-1] * unit.shape[-2] > max_pixels:
      raise ValueError(f"expected at most {max_pixels} pixels")
    values = np.asarray(unit.data)
  values = values.astype(values.dtype.newbyteorder("="))
  return values[..., None] if values.ndim == 2 else np.moveaxis(values, 0, 2)


def read_header(file: BinaryIO) -> Header:
  """The header of a file with that of its first image, which goes before.

  Raises:
    Exception: as `pages`.
  """
  first = pages(file)[0]
  with _open(file) as units:
    cards = units[0].header.copy()
    cards.update(units[first].header)
  return {x.keyword: (x.value, x.comment) for x in cards.cards}


def write_like(
  path: pathlib.Path, planes: np.ndarray, source: BinaryIO, *, history: str
) -> None:
  """Write images `(n, h, w)` with the header of another file's first image.

  Args:
    path: path of the file.
    planes: the images, of which a single one has two axes.
    source: the other file.
    history: a line for the header.
  """
  first = pages(source)[0]
  with _open(source) as units:
    header = units[0].header.copy(strip=True)
    header.extend(units[first].header.copy(strip=True), update=True)
  for name in _OF_VALUES:
    header.remove(name, ignore_missing=True)
  header.add_history(history)
  values = planes[0] if len(planes) == 1 else planes
  written = io.BytesIO()  # it knows few modes of files
  _module().PrimaryHDU(np.float32(values), header).writeto(written)
  with replacing(path) as file:
    file.write(written.getvalue())


def _is_image(unit: Any) -> bool:
  return unit.is_image and len(unit.shape) in (2, 3)


def _open(file: BinaryIO) -> Any:
  file.seek(0)
  copy = io.BytesIO(file.read())  # it closes what it is given
  return _module().open(copy, memmap=False)


@functools.cache
def _module() -> Any:
  module = extras.load("astropy.io.fits", extra="astronomy")
  # About headers that are not quite right; damage raises an error.
  category = extras.load("astropy.utils.exceptions", extra="astronomy")
  warnings.filterwarnings("ignore", category=category.AstropyWarning)
  return module
