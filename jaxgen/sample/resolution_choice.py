"""The resolution at which counts are restored by a run, within limits of time
and memory.

The table of the run (`jaxgen calibrate --workdir`) says what held-out tiles
lose at a lower resolution; the image itself says whether it has more detail
than they, and whether its noise is that of the camera.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from jaxgen.diffusion.tiling import WINDOWS
from jaxgen.errors import UserError
from jaxgen.parallel import device
from jaxgen.restoration import image_noise
from jaxgen.restoration.recommend import (
  Preference,
  Recommendation,
  Unaffordable,
  recommend,
)
from jaxgen.restoration.resolutions import Table
from jaxgen.sample import resolution_doubts as doubts
from jaxgen.sample.exposure import Exposure
from jaxgen.sample.run import LoadedRun
from jaxgen.windows import window_grid
from jaxgen.workdir import resolutions_file
from jaxgen.workdir.resolutions_file import Resolutions

MANY = 2**31  # windows, if memory is not limited


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
  """Limits of a restoration.

  Attributes:
    max_seconds: time of all network calls of an image.
    max_bytes: memory of the program.
    preference: see `recommend`.
  """

  max_seconds: float | None = None
  max_bytes: int | None = None
  preference: Preference = "quality"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
  """A resolution for images.

  Attributes:
    factor: pixels that are summed along each side; 1: full resolution.
    recommendation: the row, with the time and memory of an image.
    windows: how many may be restored at a time.
    noise: variance of the images' noise in electrons^2, measured on them; NaN:
      too little is seen.
    detail: by lower resolution, the share of the images' energy that it cannot
      show and that exceeds the noise.
    warnings: what the table does not foresee.
  """

  factor: int
  recommendation: Recommendation
  windows: int
  noise: float
  detail: dict[int, float]
  warnings: tuple[str, ...]

  @property
  def resolution(self) -> int:
    """The side of the restored windows in pixels."""
    return self.recommendation.resolution


def choose(
  run: LoadedRun, exposed: Exposure, *, limits: Limits, calls: int
) -> Choice:
  """The resolution for images of one size.

  Args:
    run: a run whose folder has a table.
    exposed: the counts.
    limits: limits of time and memory.
    calls: network calls for an image, window by window.

  Raises:
    UserError: the run has no table, or a limit cannot be met: it names the
      cheapest resolution.
  """
  known = resolutions_file.read(run.workdir)
  shape, photons = exposed.electrons.shape[1:3], exposed.white.electrons
  windows = _num_windows(known, shape)
  found = _recommended(_of_image(known, windows, calls), exposed, limits)
  planes = list(np.moveaxis(exposed.electrons, -1, 1).reshape(-1, *shape))
  noise = image_noise.mean_variance(planes)
  detail = doubts.shares(planes, known.table, noise=noise)
  said = (*found.notes, *_about_table(known, run))
  said += doubts.about_noise(noise, exposed)
  side, table = found.resolution, known.table
  if side in detail:
    usual = table.detail[side]
    said += doubts.about_detail(detail[side], usual, photons=photons, side=side)
  return Choice(
    factor=table.full // side,
    recommendation=found,
    windows=_at_once(known, side, windows=windows, max_bytes=limits.max_bytes),
    noise=noise,
    detail={k: x.share for k, x in detail.items()},
    warnings=said,
  )


def _recommended(
  table: Table, exposed: Exposure, limits: Limits
) -> Recommendation:
  try:
    return recommend(
      table,
      exposed.white.electrons,
      read_noise=float(np.sqrt(np.mean(np.square(exposed.read_noise)))),
      background=exposed.background,
      max_seconds=limits.max_seconds,
      max_bytes=limits.max_bytes,
      preference=limits.preference,
    )
  except Unaffordable as e:
    given = {"max_seconds": limits.max_seconds, "max_memory": limits.max_bytes}
    names = [f"{k}={v:.10g}" for k, v in given.items() if v is not None]
    raise UserError(f"{' and '.join(names)}: {e.reason}.") from e


def _num_windows(known: Resolutions, shape: tuple[int, ...]) -> int:
  """The number of windows that cover an image."""
  full = known.table.full
  h, w = (max(x, full) for x in shape)
  return len(window_grid(h, w, side=full, overlap=full // 2))


def _of_image(known: Resolutions, windows: int, calls: int) -> Table:
  """The table of an image instead of a tile: of its windows, some are in memory
  at a time."""
  return known.table.of_image(
    seconds=calls / known.calls * windows,
    windows=min(windows, WINDOWS),
    parameter_bytes=known.parameter_bytes,
  )


def _at_once(
  known: Resolutions, side: int, *, windows: int, max_bytes: int | None
) -> int:
  """The number of windows of a resolution that memory allows: those of one
  image, or of several."""
  if max_bytes is None:
    return MANY
  windows = min(windows, WINDOWS)
  image = known.table.of(side)[0].bytes_of(windows)
  return windows * max(1, (max_bytes - known.parameter_bytes) // image)


def _about_table(known: Resolutions, run: LoadedRun) -> tuple[str, ...]:
  """Doubts about a table that was made elsewhere, or of other weights."""
  said = []
  if known.devices != device.label():
    said.append(
      f"the seconds of the table are those of {known.devices}, not of"
      f" {device.label()}"
    )
  if known.step != run.step:
    said.append(
      f"the table is of the weights of step {known.step}, not {run.step}"
    )
  return tuple(said)
