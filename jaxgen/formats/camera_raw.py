"""Mosaics of Bayer sensors in the raw files of cameras, by rawpy (the extra
`raw`).

A mosaic (h, w) is packed: each 2 x 2 pixels are one of (h / 2, w / 2, 4), with
the channels red, green in the row of red, green in the row of blue, blue,
whichever of them the sensor has first. Values are as stored, in 16 bits, with
the black level.
"""

from __future__ import annotations

import pathlib
from typing import BinaryIO, NamedTuple

import numpy as np

from jaxgen.formats import extras

SUFFIXES = tuple(".dng .cr2 .cr3 .nef .arw .raf .orf .rw2 .pef".split())


class Mosaic(NamedTuple):
  """A packed mosaic.

  Attributes:
    values: uint16 (h, w, 4).
    pattern: the colors of the first 2 x 2 pixels of the sensor, row by row.
    black: the stored value of black of each channel.
    white: the stored value at which the sensor saturates.
  """

  values: np.ndarray
  pattern: str
  black: tuple[float, ...]
  white: float

  @property
  def note(self) -> str:
    """The description of the sensor, for people."""
    black = " ".join(f"{x:g}" for x in self.black)
    return (
      f"camera raw, a mosaic {self.pattern} packed to the channels R G G B,"
      f" with black {black} and white {self.white:g} (data.value_range)"
    )


def is_raw(file: BinaryIO) -> bool:
  """Whether a file has the name of a camera's raw file: many of them begin as
  TIFF."""
  name = getattr(file, "name", "")
  path = pathlib.PurePath(name) if isinstance(name, str) else pathlib.PurePath()
  return path.suffix.lower() in SUFFIXES


def read(file: BinaryIO, *, max_pixels: int) -> Mosaic:
  """Read a mosaic.

  Raises:
    Exception: of rawpy: the file is damaged or of an unknown camera;
      ValueError: no Bayer sensor, too large, or rawpy is not installed.
  """
  file.seek(0)
  with extras.load("rawpy", extra="raw").imread(file) as raw:
    sensor, colors = raw.raw_image_visible, raw.raw_colors_visible
    if sensor is None or sensor.ndim != 2 or sensor.size > max_pixels:
      raise ValueError(f"expected a mosaic of at most {max_pixels} pixels")
    letters = np.array([chr(x) for x in raw.color_desc])[colors[:6, :6]]
    places = bayer_places(letters)
    return Mosaic(
      values=pack(sensor, places),
      pattern="".join(letters[:2, :2].reshape(-1)),
      black=tuple(
        float(raw.black_level_per_channel[colors[place]]) for place in places
      ),
      white=float(raw.white_level),
    )


def bayer_places(letters: np.ndarray) -> list[tuple[int, int]]:
  """The (row, column) of R, G, G and B in 2 x 2 pixels of a mosaic.

  Args:
    letters: the colors of the first pixels, (n, n) with an even n.

  Raises:
    ValueError: no Bayer mosaic.
  """
  first = letters[:2, :2]
  repeated = np.tile(first, (len(letters) // 2, len(letters) // 2))
  (rows, columns), diagonal = np.nonzero(first == "R"), False
  if len(rows) == 1:
    row, column = int(rows[0]), int(columns[0])
    diagonal = first[1 - row, 1 - column] == "B"
  if not diagonal or (repeated != letters).any():
    raise ValueError("expected a Bayer mosaic of 2 x 2 pixels")
  return [
    (row, column),
    (row, 1 - column),
    (1 - row, column),
    (1 - row, 1 - column),
  ]


def pack(sensor: np.ndarray, places: list[tuple[int, int]]) -> np.ndarray:
  """The channels (h / 2, w / 2, 4) of a mosaic (h, w); an odd last row or
  column is dropped."""
  height, width = (n // 2 * 2 for n in sensor.shape)
  even = sensor[:height, :width]
  return np.stack([even[row::2, column::2] for row, column in places], axis=-1)
