"""SVG elements of charts, and their frame."""

from __future__ import annotations

from collections.abc import Sequence

from jaxgen.report import axes
from jaxgen.report.axes import Axis
from jaxgen.report.html import text

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 550, 340
LEFT, RIGHT, TOP, BOTTOM = 78, 24, 16, 52
GRID, SOFT = "#e6e6e3", "#6b6b67"


def fit_axes(
  points: Points,
  titles: tuple[str, str],
  *,
  log: tuple[bool, bool],
  height: int = HEIGHT,
) -> tuple[Axis, Axis]:
  """The axes of a chart that contains all points."""
  xs, ys = ([p[i] for p in points] for i in (0, 1))
  x = axes.fit_axis(titles[0], xs, begin=LEFT, end=WIDTH - RIGHT, log=log[0])
  y = axes.fit_axis(titles[1], ys, begin=height - BOTTOM, end=TOP, log=log[1])
  return x, y


def line(
  points: Points, *, stroke: str, dash: str = "", title: str = ""
) -> str:
  """A line through points, in pixels."""
  path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
  dashed = f" stroke-dasharray='{dash}'" if dash else ""
  inside = f"<title>{text(title)}</title>" if title else ""
  return (
    f"<polyline points='{path}' fill='none' stroke='{stroke}' "
    f"stroke-width='1.8'{dashed}>{inside}</polyline>"
  )


def dot(x: float, y: float, *, r: float, fill: str, title: str = "") -> str:
  """A filled circle."""
  inside = f"<title>{text(title)}</title>" if title else ""
  return (
    f"<circle r='{r:g}' cx='{x:.1f}' cy='{y:.1f}' fill='{fill}'>"
    f"{inside}</circle>"
  )


def ring(x: float, y: float) -> str:
  """A ring around a point."""
  return (
    "<circle class='ring' r='9' fill='none' stroke='#1b7837' "
    f"stroke-width='2' cx='{x:.1f}' cy='{y:.1f}'/>"
  )


def bar(
  x: float,
  y: float,
  *,
  width: float,
  height: float,
  fill: str,
  opacity: float = 1.0,
) -> str:
  """A filled rectangle."""
  return (
    f"<rect x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' "
    f"height='{height:.1f}' fill='{fill}' opacity='{opacity:g}'/>"
  )


def label(
  name: str, x: float, y: float, *, taken: list[tuple[float, float]]
) -> str:
  """A label next to a point, moved down until it overlaps none of those in
  `taken`, to which it is added."""
  left = x > (WIDTH - RIGHT + LEFT) / 2
  text_y = y + 4
  while any(abs(text_y - b) < 13 and abs(x - a) < 130 for a, b in taken):
    text_y += 13
  taken.append((x, text_y))
  anchor, text_x = ("end", x - 11) if left else ("start", x + 11)
  short = name if len(name) <= 30 else name[:29] + "\u2026"
  return (
    f"<text x='{text_x:.1f}' y='{text_y:.1f}' text-anchor='{anchor}'>"
    f"{text(short)}</text>"
  )


def chart(
  x: Axis, y: Axis, parts: Sequence[str], *, height: int = HEIGHT
) -> str:
  """A chart with its frame and titles."""
  content = "".join([*_frame(x, y, height), *_titles(x, y, height), *parts])
  return (
    f"<svg viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' height='{height}' "
    "font-family='system-ui, sans-serif' font-size='12' role='img' "
    f"aria-label='{text(y.title)} against {text(x.title)}'>{content}</svg>"
  )


def _frame(x: Axis, y: Axis, height: int) -> list[str]:
  """The grid lines and their values."""
  bottom, right = height - BOTTOM, WIDTH - RIGHT
  lines = [(x.at(t), TOP, x.at(t), bottom) for t in x.ticks]
  lines += [(LEFT, y.at(t), right, y.at(t)) for t in y.ticks]
  values = [(x.at(t), bottom + 18.0, "middle", t) for t in x.ticks]
  values += [(LEFT - 8.0, y.at(t) + 4, "end", t) for t in y.ticks]
  return [
    *(
      f"<line x1='{a:.1f}' y1='{b:.1f}' x2='{c:.1f}' y2='{d:.1f}' "
      f"stroke='{GRID}'/>"
      for a, b, c, d in lines
    ),
    *(
      f"<text x='{a:.1f}' y='{b:.1f}' text-anchor='{anchor}' fill='{SOFT}'>"
      f"{axes.label(t)}</text>"
      for a, b, anchor, t in values
    ),
  ]


def _titles(x: Axis, y: Axis, height: int) -> list[str]:
  middle = (height - BOTTOM + TOP) / 2
  return [
    f"<text x='{(LEFT + WIDTH - RIGHT) / 2}' y='{height - 10}' "
    f"text-anchor='middle'>{text(x.title)}</text>",
    f"<text transform='translate(13 {middle}) rotate(-90)' "
    f"text-anchor='middle'>{text(y.title)}</text>",
  ]
