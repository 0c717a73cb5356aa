"""Unprocessed values of camera raw files, by rawpy (the extra `raw`)."""

from __future__ import annotations

import pathlib
from typing import NamedTuple

import numpy as np

from jaxgen.errors import UserError
from jaxgen.formats.image_files import reason

SUFFIXES = (".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2")


class RawImage(NamedTuple):
  """The values of the sensor as the four planes of its mosaic.

  Attributes:
    values: `(h / 2, w / 2, 4)`: upper left, upper right, lower left and lower
      right pixel of each square of four.
    black: DN of no light, of all planes together.
    white: lowest DN of saturated pixels.
  """

  values: np.ndarray
  black: float
  white: float


def read(path: pathlib.Path) -> RawImage:
  """The values of the visible part of the sensor.

  Raises:
    UserError: rawpy is not installed.
    Exception: of rawpy, where the file is damaged or another; ValueError: the
      sensor has no mosaic of squares of four.
  """
  rawpy = _rawpy(path)
  with rawpy.imread(str(path)) as raw:
    if raw.raw_pattern is None or raw.raw_pattern.shape != (2, 2):
      raise ValueError("expected a mosaic of squares of four pixels")
    values = raw.raw_image_visible.copy()
    black = float(np.mean(raw.black_level_per_channel))
    white = float(raw.white_level)
  h, w = (x // 2 * 2 for x in values.shape)
  corners = [values[i:h:2, j:w:2] for i in (0, 1) for j in (0, 1)]
  return RawImage(np.stack(corners, axis=-1), black, white)


def _rawpy(path: pathlib.Path):
  try:
    import rawpy  # pyright: ignore[reportMissingImports]
  except ImportError as e:
    raise UserError(
      f"{path}: camera raw files need rawpy: pip install 'jaxgen[raw]'"
      f" ({reason(e)})."
    ) from e
  return rawpy
