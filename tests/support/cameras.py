"""Simulated exposures of a camera, and its raw files."""

import pathlib

import numpy as np
import tifffile

GAIN, READ_NOISE, BLACK = 2.0, 1.5, 100.0  # DN per electron, electrons, DN


def scene(side: int = 160) -> np.ndarray:
  """Smooth parts, edges and points, in [0, 1]; half of it is dark."""
  y, x = np.mgrid[:side, :side] / side
  rate = 0.04 + 0.5 * np.exp(-((x - 0.3) ** 2 + (y - 0.6) ** 2) / 0.03)
  rate[(x - 0.7) ** 2 + (y - 0.3) ** 2 < 0.03] = 0.9
  rate[::23, ::29] += 0.1
  return np.minimum(rate, 1.0)


def expose(
  rate: np.ndarray, seed: int, *, frames: int = 2, rounded: bool = True
) -> np.ndarray:
  """Exposures `(k, h, w)` of rates in electrons, in DN."""
  rng = np.random.default_rng(seed)
  shape = (frames, *rate.shape)
  electrons = rng.poisson(rate, shape) + rng.normal(0, READ_NOISE, shape)
  numbers = GAIN * electrons + BLACK
  return np.rint(numbers) if rounded else numbers


def write_dng(
  path: pathlib.Path, sensor: np.ndarray, pattern: str = "RGGB"
) -> pathlib.Path:
  """A DNG as small as it can be: a mosaic with black 512 and white 16383."""
  colors = bytes("RGB".index(letter) for letter in pattern)
  matrix = sum(((x, 1) for x in (1, 0, 0, 0, 1, 0, 0, 0, 1)), ())
  tags = [
    (50706, "B", 4, bytes([1, 4, 0, 0]), True),  # DNGVersion
    (50708, "s", 0, "A camera", True),  # UniqueCameraModel
    (33421, "H", 2, (2, 2), True),  # CFARepeatPatternDim
    (33422, "B", 4, colors, True),  # CFAPattern
    (50714, "I", 1, 512, True),  # BlackLevel
    (50717, "I", 1, 16383, True),  # WhiteLevel
    (50721, "2i", 9, matrix, True),  # ColorMatrix1
  ]
  tifffile.imwrite(
    path, sensor, photometric=32803, extratags=tags, metadata=None
  )
  return path
