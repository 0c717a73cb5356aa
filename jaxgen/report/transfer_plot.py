"""A picture of photon transfer: variance against level, and residuals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxgen.report import raster
from jaxgen.report.axes import Axis, fit_axis
from jaxgen.report.charts import COLORS, SOFT
from jaxgen.report.raster import Canvas
from jaxgen.restoration.photon_transfer import Transfer

WIDTH, HEIGHT, SPLIT = 900, 760, 500  # pixels; the residuals are below SPLIT
LEAST = 3.5  # standard errors that the axis of residuals always shows


def draw(line: Transfer, notes: Sequence[str] = ()) -> np.ndarray:
  """The bins with their errors and the line, above their residuals in standard
  errors; uint8 `(h, w, 3)`."""
  canvas, x = Canvas(WIDTH, HEIGHT), _levels(line)
  level, variance = line.bins.level, line.bins.variance
  errors = _errors(line)
  spans = np.concatenate([variance - errors, variance + errors, [0.0]])
  y = _vertical("variance (DN^2)", spans, begin=SPLIT, end=0)
  canvas.frame(x, y)
  ends = np.array([x.low, x.high])
  fit = list(zip(ends, line.variance(ends), strict=True))
  canvas.line(fit, (x, y), color=COLORS[1])
  points = list(zip(level, variance, strict=True))
  canvas.dots(points, (x, y), color=COLORS[0], errors=list(errors))
  canvas.note(notes, x=x.begin + 12, y=y.end + 8)
  _draw_residuals(canvas, x, line)
  return canvas.pixels()


def _draw_residuals(canvas: Canvas, x: Axis, line: Transfer) -> None:
  residuals = line.residuals
  span = np.concatenate([residuals, [-LEAST, LEAST]])
  y = _vertical("residual / error", span, begin=HEIGHT, end=SPLIT)
  canvas.frame(x, y)
  canvas.line([(x.low, 0.0), (x.high, 0.0)], (x, y), color=SOFT)
  points = list(zip(line.bins.level, residuals, strict=True))
  canvas.dots(points, (x, y), color=COLORS[0])


def _levels(line: Transfer) -> Axis:
  left, right = raster.LEFT, WIDTH - raster.RIGHT
  values = line.bins.level.tolist()
  return fit_axis("level (DN)", values, begin=left, end=right, log=False)


def _vertical(
  title: str, values: np.ndarray, *, begin: float, end: float
) -> Axis:
  low, high = begin - raster.BOTTOM, end + raster.TOP
  return fit_axis(title, values.tolist(), begin=low, end=high, log=False)


def _errors(line: Transfer) -> np.ndarray:
  """The standard errors of the variances of bins."""
  expected = line.variance(line.bins.level)
  degrees = line.bins.count * (line.bins.frames - 1)
  return np.maximum(expected, 0.0) * np.sqrt(2 / degrees)
