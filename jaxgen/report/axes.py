"""Axes of charts: mapping of values to pixels, and ticks."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

MIN_GAP = 40  # minimum distance in pixels of data values used as ticks


@dataclasses.dataclass(frozen=True, kw_only=True)
class Axis:
  """A range of values mapped to a range of pixels.

  Attributes:
    title: title of the axis.
    low: smallest value.
    high: largest value.
    log: whether the axis is logarithmic.
    begin: pixel of the smallest value.
    end: pixel of the largest value.
    values: ticks to use instead of round values.
  """

  title: str
  low: float
  high: float
  log: bool
  begin: float
  end: float
  values: tuple[float, ...] = ()

  def at(self, value: float) -> float:
    """The pixel of a value."""
    scale = math.log10 if self.log else float
    span = scale(self.high) - scale(self.low)
    fraction = (scale(value) - scale(self.low)) / span
    return self.begin + fraction * (self.end - self.begin)

  @property
  def ticks(self) -> list[float]:
    """The ticks: `values`, or else round values in the range."""
    if self.values:
      return list(self.values)
    if not self.log:
      return ticks(self.low, self.high)
    low, high = math.log10(self.low), math.log10(self.high)
    steps = (1,) if high - low > 3 else (1, 2, 5)
    decades = range(math.floor(low), math.ceil(high) + 1)
    every = [s * 10.0**d for d in decades for s in steps]
    inside = [x for x in every if self.low <= x <= self.high]
    return inside if len(inside) > 1 else ticks(self.low, self.high)


def ticks(low: float, high: float, *, count: int = 5) -> list[float]:
  """About `count` round values from `low` to `high`, in steps of 1, 2 or 5
  times a power of ten."""
  raw = (high - low) / count
  power = 10.0 ** math.floor(math.log10(raw))
  step = next(power * x for x in (1, 2, 5, 10) if power * x >= raw * 0.999)
  first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
  return [round(i * step, 12) for i in range(first, last + 1)]


def fit_axis(
  title: str, values: Sequence[float], *, begin: float, end: float, log: bool
) -> Axis:
  """An axis that contains all values with a margin.

  It is logarithmic only if all values are positive; in that case a few integer
  values are used as ticks.
  """
  log = log and min(values) > 0
  low, high = _with_margin(min(values), max(values), log=log)
  axis = Axis(title=title, low=low, high=high, log=log, begin=begin, end=end)
  unique = tuple(sorted(set(values)))
  pixels = [axis.at(x) for x in unique]
  gaps = [abs(b - a) for a, b in zip(pixels, pixels[1:], strict=False)]
  integers = log and len(unique) < 8 and all(x == int(x) for x in unique)
  if integers and min(gaps, default=math.inf) > MIN_GAP:
    return dataclasses.replace(axis, values=unique)
  return axis


def _with_margin(low: float, high: float, *, log: bool) -> tuple[float, float]:
  if log:
    factor = (high / low) ** 0.06 if high > low else 1.5
    return low / factor, high * factor
  margin = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
  return low - margin, high + margin


def label(value: float) -> str:
  """The value of a tick as short text."""
  size = abs(value)
  if size >= 1e6:
    return f"{value / 1e6:g}M"
  if size >= 1e4:
    return f"{value / 1e3:g}k"
  return f"{value:.1e}" if 0 < size < 1e-3 else f"{value:g}"
