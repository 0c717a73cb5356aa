"""Random fields on the unit square: spline noise, grains and sheets.

Every field is a function of continuous coordinates, defined on a lattice of `n`
cells per tile and evaluated at the pixels, so that a tile keeps its content
when the resolution changes. A tile wraps around if the period of the lattice is
`n`; a tile that is not seamless has a slightly larger period.

- `noise`: cubic B-spline noise, f(y, x) = sum_ij B(ny - i) B(nx - j) z_ij with
  normal z. It is separable: an octave is two matrix products. `gain` > 0 adds
  octaves, each with twice the frequency and `gain` times the amplitude of the
  previous one, until they are faint or the lattice spacing is two pixels.
- `grains`: a power diagram of jittered lattice points (Worley, SIGGRAPH 1996,
  with weights): a pixel belongs to the seed s that minimizes |p - s|^2 - w_s.
- `sheets`: the same in one dimension, across a family of parallel surfaces.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
import zlib

import numpy as np

if typing.TYPE_CHECKING:
  import scipy.sparse

_FAINTEST = 0.05  # amplitude of an octave relative to the first
_BLOCK = 16384  # pixels per block, to stay in the CPU's cache
_MARGIN = 4  # lattice cells beyond a tile that does not wrap


@dataclasses.dataclass(frozen=True, kw_only=True)
class Canvas:
  """A unit square to draw on.

  Attributes:
    size: side in pixels.
    seamless: whether fields wrap around.
    key: seeds of the random streams, non-negative integers.
  """

  size: int
  seamless: bool
  key: tuple[int, ...]

  def rng(self, stream: str) -> np.random.Generator:
    """An independent generator for each stream name."""
    return np.random.default_rng((*self.key, zlib.crc32(stream.encode())))

  def period(self, cells: int) -> int:
    """The period, in cells, of a lattice of `cells` per tile."""
    return cells if self.seamless else cells + _MARGIN


@dataclasses.dataclass(frozen=True, kw_only=True)
class Grains:
  """A partition of the square. Arrays are (size, size); lengths are in cells.

  Attributes:
    owner: int index of the grain, in [0, count).
    offset: complex64, from the grain's seed to the pixel, x + iy.
    edge: float32, approximate distance to the grain's border.
    count: upper bound of the number of grains, the length of tables.
  """

  owner: np.ndarray
  offset: np.ndarray
  edge: np.ndarray
  count: int


@functools.lru_cache(maxsize=256)
def _pixels(size: int) -> np.ndarray:
  return ((np.arange(size) + 0.5) / size).astype(np.float32)


def coordinates(canvas: Canvas) -> tuple[np.ndarray, np.ndarray]:
  """Pixel centers y, (size, 1), and x, (1, size), in (0, 1)."""
  at = _pixels(canvas.size)
  return at[:, None], at[None, :]


@functools.lru_cache(maxsize=256)
def _spline(size: int, cells: int, period: int) -> scipy.sparse.csr_array:
  """B-spline weights (size, period), scaled to unit variance."""
  import scipy.sparse  # lazy: the import takes 0.4 s

  position = _pixels(size).astype(np.float64) * cells
  steps = np.arange(-1, 3)
  column = np.floor(position).astype(np.int32)[:, None] + steps
  d = np.abs(position[:, None] - column)
  inner, outer = 2 / 3 - d**2 + d**3 / 2, (2 - d) ** 3 / 6
  weight = np.where(d < 1, inner, outer)
  weight /= np.sqrt(151 / 315)  # mean of the sum of squares
  row = np.repeat(np.arange(size, dtype=np.int32), len(steps))
  return scipy.sparse.csr_array(
    (weight.ravel().astype(np.float32), (row, column.ravel() % period)),
    shape=(size, period),
  )


def _octave(canvas: Canvas, rng, shape: tuple[int, int]) -> np.ndarray:
  """One octave of noise. Sparse products are faster than dense ones and
  bitwise reproducible across machines."""
  ny, nx = shape
  py, px = canvas.period(ny), canvas.period(nx)
  lattice = rng.standard_normal((px, py), dtype=np.float32)
  across = _spline(canvas.size, nx, px) @ lattice
  return _spline(canvas.size, ny, py) @ np.ascontiguousarray(across.T)


def noise(
  canvas: Canvas, stream: str, cells: int | tuple[int, int], gain: float = 0.0
) -> np.ndarray:
  """Noise with zero mean and about unit variance.

  Args:
    canvas: the canvas.
    stream: name of the random stream.
    cells: cells of the first octave's lattice, along y and x.
    gain: amplitude of each octave relative to the previous one, in [0, 1).

  Returns:
    float32 (size, size).
  """
  rng = canvas.rng(stream)
  ny, nx = (cells, cells) if isinstance(cells, int) else cells
  total = _octave(canvas, rng, (ny, nx))
  amplitude = gain
  while amplitude > _FAINTEST and max(ny, nx) * 4 <= canvas.size:
    ny, nx = 2 * ny, 2 * nx
    total += np.float32(amplitude) * _octave(canvas, rng, (ny, nx))
    amplitude *= gain
  return total * np.float32(np.sqrt(1 - gain**2))


def slope(canvas: Canvas, field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Central differences of a field, along y and x, per unit length."""
  if canvas.seamless:
    padded = np.pad(field, 1, mode="wrap")
  else:  # extrapolated linearly
    padded = np.pad(field, 1, mode="reflect", reflect_type="odd")
  half = np.float32(canvas.size / 2)
  dy = padded[2:, 1:-1] - padded[:-2, 1:-1]
  dx = padded[1:-1, 2:] - padded[1:-1, :-2]
  return dy * half, dx * half


def grains(
  canvas: Canvas,
  stream: str,
  cells: tuple[int, int],
  at: tuple[np.ndarray, np.ndarray],
  *,
  spread: float = 0.0,
  jitter: float = 0.45,
) -> Grains:
  """Divide the square into grains.

  Args:
    canvas: the canvas.
    stream: name of the random stream.
    cells: cells of the lattice, along y and x, each about the size of a grain.
    at: y and x of the pixels, (size, size) or broadcastable, in tiles; they may
      be warped by a periodic field and leave [0, 1).
    spread: spread of grain sizes, in [0, 1]; 0: equal.
    jitter: offset of seeds from the centers of their cells, in [0, 0.5].

  Returns:
    The grain of each pixel, and the position in it.
  """
  rng = canvas.rng(stream)
  ny, nx = cells
  py, px = canvas.period(ny), canvas.period(nx)
  place = rng.uniform(0.5 - jitter, 0.5 + jitter, (2, py, px))
  seeds = _wrapped((place[0] + 1j * place[1]).astype(np.complex64))
  weights = _wrapped(rng.uniform(0, spread, (py, px)).astype(np.float32) / 2)
  y, x = at[0] * np.float32(ny), at[1] * np.float32(nx)
  row, column = np.floor(y), np.floor(x)
  offset_in_cell = (x - column) + np.complex64(1j) * (y - row)
  corner = (row.astype(np.int32) % py) * (px + 2) + column.astype(np.int32) % px
  spans = [slice(i, i + _BLOCK) for i in range(0, corner.size, _BLOCK)]
  flat, at_flat = corner.ravel(), offset_in_cell.ravel()
  blocks = [
    _two_nearest(flat[span], at_flat[span], seeds, weights) for span in spans
  ]
  best, offset, nearest, second = map(np.concatenate, zip(*blocks, strict=True))
  ids = _wrapped(np.arange(py * px, dtype=np.int32).reshape(py, px))
  shape = corner.shape
  return Grains(
    owner=ids.ravel().take(best).reshape(shape),
    offset=offset.reshape(shape),
    edge=((second - nearest) / 2).reshape(shape),
    count=py * px,
  )


def _wrapped(table: np.ndarray) -> np.ndarray:
  """A table padded periodically by one cell on every side."""
  return np.pad(table, 1, mode="wrap")


def _two_nearest(corner, position, seeds, weights):
  """The nearest seed of the 3 x 3 cells around each pixel, the offset from it,
  and the two smallest distances."""
  stride = seeds.shape[1]
  seeds, weights = seeds.ravel(), weights.ravel()
  second = np.full(position.shape, np.inf, np.float32)
  nearest, best, offset = second.copy(), corner.copy(), position.copy()
  for dy in range(3):
    for dx in range(3):
      index = corner + (dy * stride + dx)
      d = position - (seeds.take(index) + np.complex64(dx - 1 + 1j * (dy - 1)))
      distance = d.real**2 + d.imag**2 - weights.take(index)
      closer = distance < nearest
      np.minimum(second, np.maximum(distance, nearest), out=second)
      np.minimum(nearest, distance, out=nearest)
      np.copyto(best, index, where=closer)
      np.copyto(offset, d, where=closer)
  return best, offset, nearest, second


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sheets:
  """A family of parallel surfaces across the square.

  Attributes:
    owner: (size, size) int index of the nearest surface, in [0, count).
    distance: float32, signed distance to that surface, in tiles.
    count: upper bound of the number of surfaces.
  """

  owner: np.ndarray
  distance: np.ndarray
  count: int


def sheets(
  canvas: Canvas, direction: tuple[int, int], count: int, bend: np.ndarray
) -> Sheets:
  """Parallel surfaces normal to a direction, bent by a field.

  Args:
    canvas: the canvas.
    direction: integers (y, x), so that the surfaces can wrap.
    count: surfaces from edge to edge along an axis of direction 1.
    bend: (size, size) displacement in tiles, along the direction.

  Returns:
    The nearest surface of each pixel and the distance to it.
  """
  y, x = coordinates(canvas)
  phase = direction[0] * y + direction[1] * x + bend
  dy, dx = slope(canvas, bend)
  steep = np.hypot(dy + direction[0], dx + direction[1])
  level = np.floor(phase * count)
  across = (phase * count - level - 0.5) / (count * np.maximum(steep, 0.5))
  period = canvas.period(count)
  return Sheets(
    owner=level.astype(np.int32) % period, distance=across, count=period
  )
