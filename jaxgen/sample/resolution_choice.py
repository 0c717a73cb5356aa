"""The resolution at which the counts of an image are restored by a run, within
limits of time and memory.

    choice = choose(workdir, counts, camera=camera, photons=20, limits=limits)
    few = binning.bin_counts(counts, choice.factor, ...)

The table of the run (`jaxgen calibrate --workdir`) says what held-out tiles
lose at a lower resolution; the image itself says whether it has more detail
than they, and whether its noise is that of the camera.
"""

from __future__ import annotations

import dataclasses
import math
import pathlib

import numpy as np
from jaxtyping import Float

from jaxgen.diffusion.tiling import WINDOWS
from jaxgen.restoration import image_noise
from jaxgen.restoration.camera import Camera
from jaxgen.restoration.recommend import (
  Preference,
  Recommendation,
  recommend,
)
from jaxgen.restoration.resolutions import Table
from jaxgen.windows import window_grid
from jaxgen.workdir import resolutions_file
from jaxgen.workdir.resolutions_file import Resolutions

Counts = Float[np.ndarray, "h w c"]
MORE_DETAIL = 2.0  # times that of the tiles, which is said
OTHER_NOISE = 1.5  # ratio of noise measured and expected, which is said


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
  """Limits of a restoration.

  Attributes:
    max_seconds: time of all network calls.
    max_bytes: memory of the program.
    preference: see `recommend`.
    calls: network calls for an image; None: those of the mean alone.
    overlap: pixels that windows share, at full resolution.
  """

  max_seconds: float | None = None
  max_bytes: int | None = None
  preference: Preference = "quality"
  calls: int | None = None
  overlap: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
  """A resolution for an image.

  Attributes:
    factor: pixels that are summed along each side; 1: full resolution.
    recommendation: the row, with the time and memory of the image.
    noise: variance of the image's noise in electrons^2, measured on it; NaN:
      too little is seen.
    detail: by lower resolution, the share of the image's energy that it cannot
      show and that exceeds the noise.
    warnings: what the table does not foresee.
  """

  factor: int
  recommendation: Recommendation
  noise: float
  detail: dict[int, float]
  warnings: tuple[str, ...]


def choose(
  workdir: pathlib.Path,
  counts: Counts,
  *,
  camera: Camera,
  photons: float,
  limits: Limits,
) -> Choice:
  """The resolution for the counts of an image.

  Args:
    workdir: the run's folder, with a table.
    counts: electrons above black, NaN where nothing is seen.
    camera: the camera, for its read noise.
    photons: electrons of a white pixel (1 in the prior's images) above black.
    limits: limits of time and memory.

  Raises:
    UserError: the run has no table.
    Unaffordable: a limit cannot be met; it names the cheapest resolution.
  """
  known = resolutions_file.read(workdir)
  read_noise = math.sqrt(np.mean(np.square(camera.read_noise)))
  found = recommend(
    _of_image(known, counts.shape, limits),
    photons,
    read_noise=read_noise,
    max_seconds=limits.max_seconds,
    max_bytes=limits.max_bytes,
    preference=limits.preference,
  )
  noise = _noise(counts)
  shares, doubts = _details(known.table, counts, noise=noise, photons=photons)
  seen = counts[np.isfinite(counts)]
  expected = max(float(seen.mean()), 0.0) if seen.size else math.nan
  return Choice(
    factor=known.table.full // found.resolution,
    recommendation=found,
    noise=noise,
    detail=shares,
    warnings=(
      *found.notes,
      *_noise_doubts(noise, expected + read_noise**2),
      *doubts.get(found.resolution, ()),
    ),
  )


def _of_image(
  known: Resolutions, shape: tuple[int, ...], limits: Limits
) -> Table:
  """The table of an image instead of a tile: as many windows as cover it, of
  which some are in memory at a time."""
  full = known.table.full
  h, w = (max(x, full) for x in shape[:2])
  windows = len(window_grid(h, w, side=full, overlap=limits.overlap))
  calls = (limits.calls or known.calls) / known.calls
  table = known.table.scaled(
    seconds=calls * windows, bytes=min(windows, WINDOWS)
  )
  rows = [
    dataclasses.replace(x, bytes=x.bytes + known.parameter_bytes)
    for x in table.rows
  ]
  return dataclasses.replace(table, rows=tuple(rows))


def _noise(counts: Counts) -> float:
  """The variance of the noise, over all channels; NaN if too little is seen."""
  try:
    planes = np.moveaxis(counts, -1, 0)
    return float(np.mean([image_noise.noise_variance(x) for x in planes]))
  except ValueError:
    return math.nan


def _noise_doubts(noise: float, expected: float) -> tuple[str, ...]:
  ratio = noise / expected if expected > 0 else math.nan
  if math.isnan(ratio) or 1 / OTHER_NOISE <= ratio <= OTHER_NOISE:
    return ()
  return (
    f"the noise of the image has {ratio:.2g} times the variance that the camera"
    " should have: gain, black level or read noise may be others",
  )


def _details(
  table: Table, counts: Counts, *, noise: float, photons: float
) -> tuple[dict[int, float], dict[int, tuple[str, ...]]]:
  """By lower resolution, the share of detail, and doubts about the table."""
  shares, doubts = {}, {}
  for side, usual in table.detail.items():
    if math.isnan(noise):
      break
    found = [
      image_noise.detail(x, table.full // side, noise=noise)
      for x in np.moveaxis(counts, -1, 0)
    ]
    shares[side] = float(np.mean([x.share for x in found]))
    detail = float(np.mean([x.variance for x in found])) / photons**2
    if detail > MORE_DETAIL * usual:
      doubts[side] = (
        f"the image has {detail / max(usual, 1e-12):.2g} times the detail"
        f" beyond {side} pixels that the held-out tiles have: it loses more"
        " than the table says",
      )
  return shares, doubts
