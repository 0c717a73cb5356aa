"""The fabric of a rock: the mineral at each position of an undisturbed rock.

There is a function for each type of rock. It takes the canvas, the positions
`at` of the pixels (possibly displaced by a structure), the `scale` (the number
of grains relative to the closest view), and a `bias` of composition, a number
or an array, added to the uniform variate that selects a grain's phase: larger
is darker.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from jaxgen.data.rocks import texture
from jaxgen.data.rocks.texture import Canvas

PHASES = ("groundmass", "quartz", "feldspar", "mafic", "cement", "pore")
GROUNDMASS, QUARTZ, FELDSPAR, MAFIC, CEMENT, PORE = range(len(PHASES))

Point = tuple[np.ndarray, np.ndarray]  # y and x of the pixels, in tiles
Bias = np.ndarray | float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fabric:
  """The fabric at each pixel, arrays of (size, size).

  Attributes:
    phase: int index into `PHASES`.
    tone: float32, relative lightness of the grain, around 0.
    height: float32, in tiles; its slope determines the shading.
  """

  phase: np.ndarray
  tone: np.ndarray
  height: np.ndarray


def warp(
  canvas: Canvas, stream: str, at: Point, *, cells: int, by: float
) -> Point:
  """Coordinates displaced by noise with a standard deviation of `by` cells."""
  dy = texture.noise(canvas, stream + " y", cells, 0.4)
  dx = texture.noise(canvas, stream + " x", cells, 0.4)
  return at[0] + by / cells * dy, at[1] + by / cells * dx


def uniform(canvas: Canvas, stream: str, count: int, tables: int) -> np.ndarray:
  """Tables of `count` uniform variates, (tables, count) float32 in [0, 1)."""
  return canvas.rng(stream + " table").random((tables, count), np.float32)


def _choose(draw, phases: tuple[int, ...], cuts: tuple[float, ...]):
  """The phase of the interval that contains a uniform variate."""
  index = sum((draw > cut).astype(np.int8) for cut in cuts)
  return np.asarray(phases, np.int8)[index]


def granite(canvas: Canvas, at: Point, *, scale: float, bias: Bias) -> Fabric:
  """Granite: a coarse mosaic of interlocked pale, tinted and black crystals."""
  n = round(7 * scale)
  at = warp(canvas, "granite", at, cells=n, by=0.2)
  crystals = texture.grains(canvas, "crystals", (n, n), at, spread=0.9)
  draw, tone, angle = uniform(canvas, "crystal", crystals.count, 3)
  owner = crystals.owner
  phase = _choose(draw[owner] + bias, (QUARTZ, FELDSPAR, MAFIC), (0.34, 0.78))
  turn = np.exp(2j * np.pi * angle).astype(np.complex64)
  lamellae = np.sin(32 * (crystals.offset * turn[owner]).real)
  lamellae *= np.float32(0.06 / scale) * (phase == FELDSPAR)
  return Fabric(
    phase=phase,
    tone=0.3 * (tone[owner] - 0.5) + lamellae,
    height=np.minimum(crystals.edge, 0.06) * np.float32(0.35 / n),
  )


def basalt(canvas: Canvas, at: Point, *, scale: float, bias: Bias) -> Fabric:
  """Basalt: randomly oriented feldspar needles in a fine groundmass."""
  n = round(6 * scale)
  cells = texture.grains(canvas, "needles", (n, n), at)
  length, width, angle, draw = uniform(canvas, "needle", cells.count, 4)
  turn = np.exp(2j * np.pi * angle).astype(np.complex64)
  along = cells.offset * turn[cells.owner]
  length = 0.2 + 0.4 * length[cells.owner]
  width = 0.04 + 0.06 * width[cells.owner]
  inside = np.abs(along.real) / length + 0.3 * np.abs(along.imag) / width < 1
  inside &= (np.abs(along.imag) < width) & (draw[cells.owner] + bias < 0.85)
  specks = texture.noise(canvas, "specks", min(8 * n, 64), 0.7)
  phase = np.where(specks > 1.4 - 1.5 * bias, MAFIC, GROUNDMASS)
  return Fabric(
    phase=np.where(inside, FELDSPAR, phase).astype(np.int8),
    tone=0.07 * specks - 0.06,
    height=np.where(inside, 0.02 / n, 0).astype(np.float32),
  )


def sandstone(canvas: Canvas, at: Point, *, scale: float, bias: Bias) -> Fabric:
  """Sandstone: round, similar grains of one size with little cement."""
  n = round(13 * scale)
  sand = texture.grains(canvas, "sand", (n, n), at, spread=0.15, jitter=0.42)
  draw, tone, size = uniform(canvas, "sand", sand.count, 3)
  phase = _choose(
    draw[sand.owner] + bias, (QUARTZ, FELDSPAR, MAFIC), (0.6, 0.94)
  )
  radius = 0.46 + 0.2 * size[sand.owner]
  depth = np.minimum(sand.edge - 0.03, radius - np.abs(sand.offset))
  return Fabric(
    phase=np.where(depth < 0, GROUNDMASS, phase),
    tone=0.24 * (tone[sand.owner] - 0.5) - 0.2 * (depth < 0),
    height=np.sqrt(np.clip(depth, 0, 0.3)) * np.float32(0.3 / n),
  )


def marble(canvas: Canvas, at: Point, *, scale: float, bias: Bias) -> Fabric:
  """Marble: smooth and pale, with clouds and soft dark threads."""
  n = round(2 * scale)
  y, x = warp(canvas, "flow", at, cells=n, by=0.22)
  clouds = texture.noise(canvas, "clouds", n, 0.5)
  smoke = texture.noise(canvas, "smoke", 2 * n, 0.4)
  lean = int(canvas.rng("lean").choice((-1, 1)))
  waves = np.sin(2 * np.pi * max(n // 2, 1) * (x + lean * y) + 1.2 * clouds)
  thread = np.exp(-6 * np.abs(waves)) * np.clip(0.6 + 0.6 * smoke, 0, 1)
  draw = 0.5 + 0.3 * clouds + bias
  phase = _choose(draw, (QUARTZ, FELDSPAR), (0.6,))
  return Fabric(
    phase=np.where(thread > 0.35, GROUNDMASS, phase).astype(np.int8),
    tone=0.16 - 0.14 * draw - 0.4 * thread,
    height=np.zeros_like(draw),
  )


def gneiss(canvas: Canvas, at: Point, *, scale: float, bias: Bias) -> Fabric:
  """Gneiss: flattened dark and pale lenses, elongated in one direction."""
  rows, columns = round(15 * scale), round(3 * scale)
  rng = canvas.rng("foliation")
  lean, swap = int(rng.integers(-1, 2)), bool(rng.integers(2))
  y, x = warp(canvas, "gneiss", at, cells=columns, by=0.07)
  if swap:
    y, x = x, y
  lenses = texture.grains(
    canvas, "lenses", (rows, columns), (y + lean * x, x), spread=0.6
  )
  draw, tone = uniform(canvas, "lens", lenses.count, 2)
  band = draw[:: canvas.period(columns)]  # lenses of a row are similar
  draw = 0.5 * draw + 0.5 * np.repeat(band, canvas.period(columns))
  return Fabric(
    phase=_choose(
      draw[lenses.owner] + bias, (QUARTZ, FELDSPAR, MAFIC), (0.38, 0.64)
    ),
    tone=0.3 * (tone[lenses.owner] - 0.5),
    height=np.minimum(lenses.edge, 0.1) * np.float32(0.3 / rows),
  )


def conglomerate(
  canvas: Canvas, at: Point, *, scale: float, bias: Bias
) -> Fabric:
  """Conglomerate: rounded pebbles of many kinds and sizes in sand."""
  big = _pebbles(canvas, "pebbles", at, n=round(3.5 * scale), bias=bias)
  small = _pebbles(canvas, "gravel", at, n=round(9 * scale), bias=bias)
  cells = min(round(24 * scale), 64)
  sand = texture.noise(canvas, "matrix", cells, 0.7)
  matrix = Fabric(
    phase=np.where(sand < -0.9, MAFIC, GROUNDMASS).astype(np.int8),
    tone=-0.25 + 0.1 * sand,
    height=np.zeros_like(sand),
  )
  return _overlay(big, _overlay(small, matrix))


def _pebbles(
  canvas: Canvas, stream: str, at: Point, *, n: int, bias: Bias
) -> Fabric:
  at = warp(canvas, stream, at, cells=2 * n, by=0.1)
  cells = texture.grains(canvas, stream, (n, n), at, spread=0.4, jitter=0.3)
  draw, tone, size = uniform(canvas, stream + " each", cells.count, 3)
  owner = cells.owner
  radius = 0.2 + 0.4 * np.sqrt(size[owner])
  depth = np.minimum(cells.edge - 0.02, radius - np.abs(cells.offset))
  kinds = (QUARTZ, FELDSPAR, GROUNDMASS, MAFIC)
  return Fabric(
    phase=_choose(draw[owner] + bias, kinds, (0.3, 0.55, 0.8)),
    tone=0.4 * (tone[owner] - 0.45),
    height=np.copysign(np.sqrt(np.clip(np.abs(depth), 0, 0.2)), depth)
    * np.float32(0.35 / n),
  )


def _overlay(top: Fabric, below: Fabric) -> Fabric:
  """`top` where it is higher than 0, else `below`."""
  visible = top.height > 0
  return Fabric(
    phase=np.where(visible, top.phase, below.phase),
    tone=np.where(visible, top.tone, below.tone),
    height=np.where(visible, top.height, below.height),
  )


FABRICS = {
  "granite": granite,
  "basalt": basalt,
  "sandstone": sandstone,
  "marble": marble,
  "gneiss": gneiss,
  "conglomerate": conglomerate,
}
