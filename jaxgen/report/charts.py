"""Small charts as SVG, for self-contained pages."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

from jaxgen.report import svg
from jaxgen.report.svg import Points

COLORS = (
  "#2166ac", "#d6604d", "#1b7837", "#8856a7", "#e08214", "#01857d",
  "#c51b7d", "#7f5f2a", "#5aa0d6", "#555555",
)  # fmt: skip
DASHES = ("", "7 3", "2 3", "9 3 2 3")  # once the colors repeat
SOFT = "#999"
SPANS_HEIGHT = 200
MAX_DOTS = 40  # per line; longer lines have a dot only at the end


def color(index: int) -> str:
  """The color of the series with a number."""
  return COLORS[index % len(COLORS)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Series:
  """A named series of points; `number` selects the color."""

  name: str
  points: Points
  number: int


def frontier(points: Points, *, up: tuple[bool, bool]) -> list[int]:
  """Indices of the Pareto-optimal points, sorted by the first value; `up`:
  whether larger is better, for each value."""
  x, y = ([p[i] * (1 if up[i] else -1) for p in points] for i in (0, 1))
  best = [
    i
    for i in range(len(points))
    if not any(
      x[j] >= x[i] and y[j] >= y[i] and (x[j], y[j]) != (x[i], y[i])
      for j in range(len(points))
    )
  ]
  return sorted(best, key=lambda i: points[i])


def scatter(
  series: Sequence[Series],
  titles: tuple[str, str],
  *,
  log: tuple[bool, bool] = (True, False),
  up: tuple[bool, bool] = (False, True),
  marked: str = "",
) -> str:
  """A chart of one labeled point per series and the Pareto frontier; the series
  `marked` has a ring."""
  points = [s.points[0] for s in series]
  x, y = svg.fit_axes(points, titles, log=log)
  pareto = [points[i] for i in frontier(points, up=up)]
  pixels = [(x.at(a), y.at(b)) for a, b in pareto]
  parts = [svg.line(pixels, stroke=SOFT, dash="4 4")]
  taken: list[tuple[float, float]] = []
  for s, (a, b) in zip(series, points, strict=True):
    px, py = x.at(a), y.at(b)
    title = f"{s.name}: {a:.6g}, {b:.6g}"
    parts += [svg.ring(px, py)] if s.name == marked else []
    parts.append(svg.dot(px, py, r=5, fill=color(s.number), title=title))
    parts.append(svg.label(s.name, px, py, taken=taken))
  return svg.chart(x, y, parts)


def lines(
  series: Sequence[Series],
  titles: tuple[str, str],
  *,
  log: tuple[bool, bool] = (False, False),
) -> str:
  """A chart of one line per series."""
  x, y = svg.fit_axes([p for s in series for p in s.points], titles, log=log)
  parts = []
  for s in series:
    pixels = [(x.at(a), y.at(b)) for a, b in s.points]
    dash = DASHES[s.number // len(COLORS) % len(DASHES)]
    stroke = color(s.number)
    parts.append(svg.line(pixels, stroke=stroke, dash=dash, title=s.name))
    dots = pixels if len(pixels) < MAX_DOTS else pixels[-1:]
    parts += [svg.dot(a, b, r=2.2, fill=stroke) for a, b in dots]
  return svg.chart(x, y, parts)


def spans(
  values: Sequence[tuple[float, float]], titles: tuple[str, str], number: int
) -> str:
  """A chart of bars from mean - scale to mean + scale, one per `(mean,
  scale)`."""
  ends = [(0.5, 0.0), (len(values) + 0.5, 0.0)]
  ends += [(i + 1, m + s) for i, (m, s) in enumerate(values)]
  ends += [(i + 1, m - s) for i, (m, s) in enumerate(values)]
  x, y = svg.fit_axes(ends, titles, log=(False, False), height=SPANS_HEIGHT)
  width = max(1.0, min(9.0, 0.6 * (x.at(2) - x.at(1))))
  zero = [(x.begin, y.at(0)), (x.end, y.at(0))]
  parts, fill = [svg.line(zero, stroke=SOFT)], color(number)
  for i, (m, s) in enumerate(values):
    left, top = x.at(i + 1) - width / 2, y.at(m + s)
    tall = max(y.at(m - s) - top, 0.5)
    bar = functools.partial(svg.bar, width=width, fill=fill)
    parts.append(bar(left, top, height=tall, opacity=0.45))
    parts.append(bar(left, y.at(m) - 0.8, height=1.6))
  return svg.chart(x, y, parts, height=SPANS_HEIGHT)
