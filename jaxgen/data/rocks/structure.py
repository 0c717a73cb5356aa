"""The structure of a rock: the pattern on top of its fabric.

There is a function for each pattern. It takes the canvas and the `scale` (the
number of features relative to the closest view). A structure displaces the
fabric, shifts its composition, and covers part of it; it can be combined with
any fabric.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from jaxgen.data.rocks import texture
from jaxgen.data.rocks.fabric import CEMENT, PORE, Point, uniform, warp
from jaxgen.data.rocks.texture import Canvas


@dataclasses.dataclass(frozen=True, kw_only=True)
class Structure:
  """The pattern at each pixel: arrays of (size, size), or constant scalars.

  Attributes:
    at: positions at which the fabric is evaluated.
    bias: bias of the fabric's composition; larger is darker.
    phase: index into `PHASES` of a phase that covers the fabric; -1: none.
    tone: added to the tone of the fabric.
    height: added to the height of the fabric, in tiles.
  """

  at: Point
  bias: np.ndarray | float = 0.0
  phase: np.ndarray | int = -1
  tone: np.ndarray | float = 0.0
  height: np.ndarray | float = 0.0


def granular(canvas: Canvas, scale: float) -> Structure:
  """Granular: the fabric only."""
  return Structure(at=_square(canvas))


def layered(canvas: Canvas, scale: float) -> Structure:
  """Layered: strata of alternating composition and lightness."""
  strata = _sheets(canvas, "strata", round(6 * scale), 0.02)
  bias, tone = uniform(canvas, "stratum", strata.count, 2) - 0.5
  turns = 1 - 2 * (np.arange(strata.count, dtype=np.float32) % 2)
  bias, tone = 0.3 * bias - 0.1 * turns, 0.3 * tone + 0.15 * turns
  return Structure(
    at=_square(canvas), bias=bias[strata.owner], tone=tone[strata.owner]
  )


def veined(canvas: Canvas, scale: float) -> Structure:
  """Veined: two families of cracks filled with cement."""
  thick = _veins(canvas, "main veins", round(2 * scale), 0.016 / scale)
  thin = _veins(canvas, "side veins", round(3 * scale), 0.008 / scale)
  phase = np.where(thick | thin, CEMENT, -1).astype(np.int8)
  return Structure(at=_square(canvas), phase=phase)


def porous(canvas: Canvas, scale: float) -> Structure:
  """Porous: round holes of many sizes."""
  n = round(5 * scale)
  at = warp(canvas, "pores", _square(canvas), cells=2 * n, by=0.1)
  cells = texture.grains(canvas, "pores", (n, n), at, jitter=0.35)
  (size,) = uniform(canvas, "pore", cells.count, 1)
  radius = (0.45 * size**0.7)[cells.owner]
  depth = np.minimum(radius - np.abs(cells.offset), cells.edge)
  phase = np.where(depth > 0, PORE, -1).astype(np.int8)
  height = -np.sqrt(np.clip(depth + 0.03, 0, 0.2)) * np.float32(0.5 / n)
  return Structure(at=_square(canvas), phase=phase, height=height)


def brecciated(canvas: Canvas, scale: float) -> Structure:
  """Brecciated: displaced angular fragments in cement full of splinters."""
  n = round(3 * scale)
  y, x = _square(canvas)
  at = warp(canvas, "fragments", (y, x), cells=3 * n, by=0.05)
  parts = texture.grains(canvas, "fragments", (n, n), at, spread=0.9)
  dy, dx, bias, tone = uniform(canvas, "fragment", parts.count, 4) - 0.5
  owner = parts.owner
  gap = 0.08 + 0.03 * texture.noise(canvas, "gaps", 2 * n)
  splinter = texture.noise(canvas, "splinters", 8 * n) > 1.1
  return Structure(
    at=(y + dy[owner], x + dx[owner]),
    bias=0.44 * bias[owner],
    phase=np.where((parts.edge < gap) & ~splinter, CEMENT, -1).astype(np.int8),
    tone=0.4 * tone[owner],
  )


STRUCTURES = {
  "granular": granular,
  "layered": layered,
  "veined": veined,
  "porous": porous,
  "brecciated": brecciated,
}

_DIRECTIONS = (
  (1, 0),
  (0, 1),
  (1, 1),
  (1, -1),
  (2, 1),
  (1, 2),
  (2, -1),
  (1, -2),
)


def _square(canvas: Canvas) -> Point:
  y, x = texture.coordinates(canvas)
  shape = (canvas.size, canvas.size)
  return np.broadcast_to(y, shape), np.broadcast_to(x, shape)


def _sheets(canvas: Canvas, stream: str, count: int, bend: float):
  """About `count` parallel surfaces per tile, in a random direction."""
  choice = canvas.rng(stream).integers(len(_DIRECTIONS))
  direction = _DIRECTIONS[choice]
  count = max(round(count / np.hypot(*direction)), 1)
  field = texture.noise(canvas, stream + " bend", 3, 0.4)
  return texture.sheets(canvas, direction, count, np.float32(bend) * field)


def _veins(canvas: Canvas, stream: str, count: int, width: float):
  veins = _sheets(canvas, stream, count, 0.06)
  shift, size = uniform(canvas, stream, veins.count, 2)
  swell = texture.noise(canvas, stream + " swell", 6)
  place = (shift - 0.5) * np.float32(0.5 / count)
  half = np.float32(width) * (0.5 + size[veins.owner] + 0.25 * swell)
  return np.abs(veins.distance - place[veins.owner]) < half
