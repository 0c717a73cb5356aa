"""Small charts as SVG, for pages that need no other file."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

from jaxgen.report.html import text

Points = Sequence[tuple[float, float]]

COLOURS = (
  "#2166ac", "#d6604d", "#1b7837", "#8856a7", "#e08214", "#01857d",
  "#c51b7d", "#7f5f2a", "#5aa0d6", "#555555",
)  # fmt: skip
DASHES = ("", "7 3", "2 3", "9 3 2 3")  # when the colours are used up
WIDTH, HEIGHT = 550, 340
LEFT, RIGHT, TOP, BOTTOM = 78, 24, 16, 52


def colour(index: int) -> str:
  """Of the series of a number."""
  return COLOURS[index % len(COLOURS)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Series:
  """Points of one name; `number` gives the colour."""

  name: str
  points: Points
  number: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Axis:
  """A range of values along some pixels."""

  title: str
  low: float
  high: float
  log: bool
  begin: float
  end: float
  values: tuple[float, ...] = ()  # to mark instead of round ones

  def at(self, value: float) -> float:
    """The place of a value, in pixels."""
    scale = math.log10 if self.log else float
    span = scale(self.high) - scale(self.low)
    share = (scale(value) - scale(self.low)) / span
    return self.begin + share * (self.end - self.begin)

  @property
  def ticks(self) -> list[float]:
    """Round values in the range, or those that are given."""
    if self.values:
      return list(self.values)
    if not self.log:
      return ticks(self.low, self.high)
    low, high = math.log10(self.low), math.log10(self.high)
    steps = (1,) if high - low > 3 else (1, 2, 5)
    decades = range(math.floor(low), math.ceil(high) + 1)
    found = [s * 10.0**d for d in decades for s in steps]
    found = [x for x in found if self.low <= x <= self.high]
    return found if len(found) > 1 else ticks(self.low, self.high)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
  """About so many values from `low` to `high`, in steps of 1, 2 or 5 times a
  power of ten."""
  raw = (high - low) / about
  power = 10.0 ** math.floor(math.log10(raw))
  step = next(power * x for x in (1, 2, 5, 10) if power * x >= raw * 0.999)
  first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
  return [round(i * step, 12) for i in range(first, last + 1)]


def axis(
  title: str, values: Sequence[float], begin: float, end: float, *, log: bool
) -> Axis:
  """An axis that holds all values, with some air; logarithmic only where all
  are above 0, and then a few whole values are marked themselves."""
  log = log and min(values) > 0
  low, high = min(values), max(values)
  if log:
    air = (high / low) ** 0.06 if high > low else 1.5
    low, high = low / air, high * air
  else:
    air = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    low, high = low - air, high + air
  found = Axis(title=title, low=low, high=high, log=log, begin=begin, end=end)
  few = tuple(sorted(set(values)))
  places = [found.at(x) for x in few]
  gaps = [abs(b - a) for a, b in zip(places, places[1:], strict=False)]
  whole = log and len(few) < 8 and all(x == int(x) for x in few)
  if whole and min(gaps, default=HEIGHT) > 40:
    return dataclasses.replace(found, values=few)
  return found


def frontier(points: Points, *, up: tuple[bool, bool]) -> list[int]:
  """Indices of the points that none beats in both values, by the first one;
  `up`: whether more is better in each."""
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
  """One point for each series, its name beside it, and the frontier of those
  that no other beats in both values; `marked` has a ring."""
  points = [s.points[0] for s in series]
  x, y = _axes(points, titles, log)
  edge = [points[i] for i in frontier(points, up=up)]
  parts = [_line([(x.at(a), y.at(b)) for a, b in edge], "#999", "4 4")]
  taken: list[tuple[float, float]] = []
  for s, (a, b) in zip(series, points, strict=True):
    px, py = x.at(a), y.at(b)
    ring = "<circle class='ring' r='9' fill='none' stroke='#1b7837' "
    ring += f"stroke-width='2' cx='{px:.1f}' cy='{py:.1f}'/>"
    parts += [ring] if s.name == marked else []
    parts.append(
      f"<circle r='5' cx='{px:.1f}' cy='{py:.1f}' fill='{colour(s.number)}'>"
      f"<title>{text(s.name)}: {a:.6g}, {b:.6g}</title></circle>"
    )
    parts.append(_label(s.name, px, py, taken))
  return _chart(x, y, parts)


def _label(
  name: str, x: float, y: float, taken: list[tuple[float, float]]
) -> str:
  """A name beside a point, moved down until it hides no other."""
  left = x > (WIDTH - RIGHT + LEFT) / 2
  place = y + 4
  while any(abs(place - b) < 13 and abs(x - a) < 130 for a, b in taken):
    place += 13
  taken.append((x, place))
  anchor, at = ("end", x - 11) if left else ("start", x + 11)
  short = name if len(name) <= 30 else name[:29] + "\u2026"
  return (
    f"<text x='{at:.1f}' y='{place:.1f}' text-anchor='{anchor}'>"
    f"{text(short)}</text>"
  )


def lines(
  series: Sequence[Series],
  titles: tuple[str, str],
  *,
  log: tuple[bool, bool] = (False, False),
) -> str:
  """A line for each series."""
  every = [p for s in series for p in s.points]
  x, y = _axes(every, titles, log)
  parts = []
  for s in series:
    at = [(x.at(a), y.at(b)) for a, b in s.points]
    dash = DASHES[s.number // len(COLOURS) % len(DASHES)]
    parts.append(_line(at, colour(s.number), dash, s.name))
    parts += [
      f"<circle r='2.2' cx='{a:.1f}' cy='{b:.1f}' fill='{colour(s.number)}'/>"
      for a, b in (at if len(at) < 40 else at[-1:])
    ]
  return _chart(x, y, parts)


def spans(
  values: Sequence[tuple[float, float]], titles: tuple[str, str], number: int
) -> str:
  """A bar from mean - scale to mean + scale for each `(mean, scale)`."""
  ends = [(0.5, 0.0), (len(values) + 0.5, 0.0)]
  ends += [(i + 1, m + s) for i, (m, s) in enumerate(values)]
  ends += [(i + 1, m - s) for i, (m, s) in enumerate(values)]
  x, y = _axes(ends, titles, (False, False), height=200)
  wide = max(1.0, min(9.0, 0.6 * (x.at(2) - x.at(1))))
  parts = [_line([(x.begin, y.at(0)), (x.end, y.at(0))], "#999", "")]
  for i, (m, s) in enumerate(values):
    top, tall = y.at(m + s), y.at(m - s) - y.at(m + s)
    left = x.at(i + 1) - wide / 2
    parts.append(
      f"<rect x='{left:.1f}' y='{top:.1f}' width='{wide:.1f}' opacity='0.45' "
      f"height='{max(tall, 0.5):.1f}' fill='{colour(number)}'/>"
    )
    parts.append(
      f"<rect x='{left:.1f}' y='{y.at(m) - 0.8:.1f}' width='{wide:.1f}' "
      f"height='1.6' fill='{colour(number)}'/>"
    )
  return _chart(x, y, parts, height=200)


def _axes(
  points: Points,
  titles: tuple[str, str],
  log: tuple[bool, bool],
  height: int = HEIGHT,
) -> tuple[Axis, Axis]:
  xs, ys = ([p[i] for p in points] for i in (0, 1))
  x = axis(titles[0], xs, LEFT, WIDTH - RIGHT, log=log[0])
  return x, axis(titles[1], ys, height - BOTTOM, TOP, log=log[1])


def _line(points: Points, stroke: str, dash: str, name: str = "") -> str:
  path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
  dashed = f" stroke-dasharray='{dash}'" if dash else ""
  title = f"<title>{text(name)}</title>" if name else ""
  return (
    f"<polyline points='{path}' fill='none' stroke='{stroke}' "
    f"stroke-width='1.8'{dashed}>{title}</polyline>"
  )


def shown(value: float) -> str:
  """A tick's value, short."""
  size = abs(value)
  if size >= 1e6:
    return f"{value / 1e6:g}M"
  if size >= 1e4:
    return f"{value / 1e3:g}k"
  return f"{value:.1e}" if 0 < size < 1e-3 else f"{value:g}"


def _chart(x: Axis, y: Axis, parts: list[str], height: int = HEIGHT) -> str:
  bottom, middle = height - BOTTOM, (height - BOTTOM + TOP) / 2
  grid: Callable[..., str] = (
    "<line x1='{:.1f}' y1='{:.1f}' x2='{:.1f}' y2='{:.1f}' "
    "stroke='#e6e6e3'/>".format
  )
  frame = [grid(x.at(t), TOP, x.at(t), bottom) for t in x.ticks]
  frame += [grid(LEFT, y.at(t), WIDTH - RIGHT, y.at(t)) for t in y.ticks]
  marks = [
    f"<text x='{x.at(t):.1f}' y='{bottom + 18}' text-anchor='middle' "
    f"fill='#6b6b67'>{shown(t)}</text>"
    for t in x.ticks
  ]
  marks += [
    f"<text x='{LEFT - 8}' y='{y.at(t) + 4:.1f}' text-anchor='end' "
    f"fill='#6b6b67'>{shown(t)}</text>"
    for t in y.ticks
  ]
  names = [
    f"<text x='{(LEFT + WIDTH - RIGHT) / 2}' y='{height - 10}' "
    f"text-anchor='middle'>{text(x.title)}</text>",
    f"<text transform='translate(13 {middle}) rotate(-90)' "
    f"text-anchor='middle'>{text(y.title)}</text>",
  ]
  inside = "".join([*frame, *marks, *names, *parts])
  return (
    f"<svg viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' height='{height}' "
    "font-family='system-ui, sans-serif' font-size='12' role='img' "
    f"aria-label='{text(y.title)} against {text(x.title)}'>{inside}</svg>"
  )
