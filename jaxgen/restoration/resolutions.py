"""A table of measured restorations: what a resolution costs, and its error at
full resolution.

Counts that are restored at a lower resolution are summed in squares first
(`restoration.binning`), which is fast; the answer is enlarged to full
resolution and compared there, so that all errors are of the same images.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
  """Restorations at one resolution and one number of photons.

  Attributes:
    resolution: side of the restored tiles in pixels.
    photons: electrons of a white pixel of full resolution, above black.
    mse: squared error at full resolution, of images in [0, 1].
    seconds: time of a tile.
    bytes: memory of the program that restores a tile.
    window_bytes: that of each window at a time, for an image of several.
    ssim: structural similarity at full resolution, if it was measured.
  """

  resolution: int
  photons: float
  mse: float
  seconds: float
  bytes: int
  window_bytes: int
  ssim: float | None = None

  @property
  def psnr(self) -> float:
    """The error in dB."""
    return decibels(self.mse)

  def bytes_of(self, windows: int) -> int:
    """The memory of the program for an image, without the parameters."""
    return self.bytes if windows == 1 else windows * self.window_bytes


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
  """Rows of every resolution at every number of photons.

  Attributes:
    rows: the rows, in any order.
    read_noise: standard deviation of the read noise in electrons.
    background: electrons of a black pixel.
    level: mean of the images, from 0 (black) to 1 (white).
    detail: by lower resolution, the squared detail of the images that it
      cannot show, of images in [0, 1].

  Raises:
    ValueError: rows are missing or double, or no numbers of a measurement.
  """

  rows: tuple[Row, ...]
  read_noise: float
  background: float
  level: float
  detail: Mapping[int, float] = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    places = sorted((x.resolution, x.photons) for x in self.rows)
    grid = [(r, p) for r in self.resolutions for p in self.photons]
    if not grid or places != grid:
      raise ValueError(
        "rows: expected one of each resolution and number of photons, got"
        f" {len(places)} for {len(self.resolutions)} x {len(self.photons)}"
      )
    for row in self.rows:
      numbers = (row.photons, row.mse, row.seconds, row.bytes, row.window_bytes)
      if not all(0 < x < math.inf for x in numbers):
        raise ValueError(f"rows: expected numbers above 0, got {row}")

  @property
  def resolutions(self) -> list[int]:
    """The resolutions, ascending."""
    return sorted({x.resolution for x in self.rows})

  @property
  def full(self) -> int:
    """The full resolution."""
    return self.resolutions[-1]

  @property
  def photons(self) -> list[float]:
    """The numbers of photons, ascending."""
    return sorted({x.photons for x in self.rows})

  def of(self, resolution: int) -> list[Row]:
    """The rows of a resolution, by photons."""
    rows = (x for x in self.rows if x.resolution == resolution)
    return sorted(rows, key=lambda x: x.photons)

  def of_image(
    self, *, seconds: float, windows: int, parameter_bytes: int
  ) -> Table:
    """The table of an image instead of a tile: of so many times the seconds,
    with so many windows in memory at a time."""
    rows = [
      dataclasses.replace(
        x,
        seconds=x.seconds * seconds,
        bytes=x.bytes_of(windows) + parameter_bytes,
      )
      for x in self.rows
    ]
    return dataclasses.replace(self, rows=tuple(rows))

  def equal_photons(self, photons: float, extra: float) -> float:
    """The photons at which the table's read noise and background make the same
    noise, in units of the image, as a variance of `extra` electrons^2 does at
    `photons`: of a pixel of mean level, v / photons^2 is equal."""
    own = self.background + self.read_noise**2
    noise = (photons * self.level + extra) / photons**2
    root = math.sqrt(self.level**2 + 4 * noise * own)
    return (self.level + root) / (2 * noise)


def interpolate(rows: Sequence[Row], photons: float) -> Row:
  """The row of a resolution at a number of photons within those of `rows`:
  linear between neighbors, of the logarithms of error and photons."""
  rows = sorted(rows, key=lambda x: x.photons)
  known = np.log([x.photons for x in rows])
  at = lambda values: float(np.interp(math.log(photons), known, values))  # noqa: E731
  similar = [x.ssim for x in rows if x.ssim is not None]
  return Row(
    resolution=rows[0].resolution,
    photons=photons,
    mse=math.exp(at([math.log(x.mse) for x in rows])),
    seconds=at([x.seconds for x in rows]),
    bytes=round(at([x.bytes for x in rows])),
    window_bytes=round(at([x.window_bytes for x in rows])),
    ssim=at(similar) if len(similar) == len(rows) else None,
  )


def decibels(mse: float) -> float:
  """The peak signal-to-noise ratio of a squared error of images in [0, 1]."""
  return -10 * math.log10(max(mse, 1e-10))
