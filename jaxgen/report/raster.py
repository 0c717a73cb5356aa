"""Charts as pictures of pixels, for files that any viewer opens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jaxgen.report import axes
from jaxgen.report.axes import Axis

LEFT, RIGHT, TOP, BOTTOM = 110, 30, 20, 60
TEXT = 15  # size in pixels
INK, GRID = "#1d1d1b", "#e6e6e3"

Point = tuple[float, float]


class Canvas:
  """A picture with one chart or several below each other."""

  def __init__(self, width: int, height: int):
    self._image = Image.new("RGB", (width, height), "white")
    self._draw = ImageDraw.Draw(self._image)
    self._font = ImageFont.load_default(TEXT)

  def frame(self, x: Axis, y: Axis) -> None:
    """Draw the grid of two axes, its values and titles."""
    for tick in x.ticks:
      self._line([(x.at(tick), y.begin), (x.at(tick), y.end)], GRID)
      self._text((x.at(tick), y.begin + 6), axes.label(tick), "ma")
    for tick in y.ticks:
      self._line([(x.begin, y.at(tick)), (x.end, y.at(tick))], GRID)
      self._text((x.begin - 8, y.at(tick)), axes.label(tick), "rm")
    self._text(((x.begin + x.end) / 2, y.begin + 28), x.title, "ma")
    self._upright((8, (y.begin + y.end) / 2), y.title)

  def line(
    self, points: Sequence[Point], axes_: tuple[Axis, Axis], *, color: str
  ) -> None:
    """Draw a line through points."""
    x, y = axes_
    self._line([(x.at(a), y.at(b)) for a, b in points], color, width=2)

  def dots(
    self,
    points: Sequence[Point],
    axes_: tuple[Axis, Axis],
    *,
    color: str,
    errors: Sequence[float] = (),
  ) -> None:
    """Draw dots, with bars of plus and minus their errors."""
    x, y = axes_
    for (a, b), error in zip(points, errors, strict=False):
      ends = [(x.at(a), y.at(b - error)), (x.at(a), y.at(b + error))]
      self._line(ends, color)
    for a, b in points:
      px, py, r = x.at(a), y.at(b), 3.5
      self._draw.ellipse((px - r, py - r, px + r, py + r), fill=color)

  def note(self, lines: Sequence[str], *, x: float, y: float) -> None:
    """Write lines of text from a corner."""
    for i, text in enumerate(lines):
      self._text((x, y + i * (TEXT + 5)), text, "la")

  def pixels(self) -> np.ndarray:
    """The picture, uint8 `(h, w, 3)`."""
    return np.asarray(self._image)

  def _line(
    self, points: Sequence[Point], color: str, *, width: int = 1
  ) -> None:
    self._draw.line(list(points), fill=color, width=width)

  def _text(self, place: Point, text: str, anchor: str) -> None:
    self._draw.text(place, text, fill=INK, font=self._font, anchor=anchor)

  def _upright(self, place: Point, text: str) -> None:
    """Text from bottom to top, with the middle of its left side at a place."""
    left, top, right, bottom = (round(v) for v in self._font.getbbox(text))
    tile = Image.new("RGB", (right - left, bottom + 2), "white")
    ImageDraw.Draw(tile).text((-left, 0), text, fill=INK, font=self._font)
    turned = tile.transpose(Image.Transpose.ROTATE_90)
    x, y = place
    self._image.paste(turned, (round(x), round(y - turned.height / 2)))
