"""Enlargement of images of any size, by rows of tiles.

Tiles overlap by twice the reach of the network, and each pixel is taken from a
tile whose borders are at least as far away as that: the result does not depend
on the tiles. If a tile does not fit into the memory of the device, its side is
halved.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import bicubic, progress
from jaxgen.errors import UserError
from jaxgen.images import normalize
from jaxgen.parallel import memory
from jaxgen.sample.run import LoadedRun
from jaxgen.windows import places

if TYPE_CHECKING:
  from jaxgen.sample.upscaler import UpscalerRun

TILE = 256  # side of the part of a tile that is used, in pixels
LEAST = 16  # the smallest
TYPES = ("uint8", "uint16", "float32")


class Span(NamedTuple):
  """A tile along one axis: its first pixel, its length, and the pixels `[low,
  high)` that are taken from it, in the image."""

  start: int
  length: int
  low: int
  high: int


def spans(length: int, *, tile: int, reach: int) -> list[Span]:
  """The tiles along an axis of `length` pixels, which take every pixel once, at
  least `reach` pixels away from a border inside the image."""
  side = min(length, tile + 2 * reach)
  starts = places(length, side, 2 * reach) if side < length else [0]
  cuts = [(a + side + b) // 2 for a, b in itertools.pairwise(starts)]
  lows, highs = [0, *cuts], [*cuts, length]
  return [
    Span(*x)
    for x in zip(starts, [side] * len(starts), lows, highs, strict=True)
  ]


def upscale(
  run: UpscalerRun,
  images: np.ndarray | Sequence[np.ndarray],
  *,
  tile: int = TILE,
  consistent: bool = False,
) -> Any:
  """Images enlarged by the factor of a run, in their type.

  Args:
    run: a run of an upscaler.
    images: `(n, h, w, c)`, or a sequence of `(h, w, c)` of any sizes; uint8,
      uint16, or float32 in [-1, 1].
    tile: side of the part of a tile that is used, in pixels.
    consistent: change the result as little as possible so that its bicubic
      reduction is the given image, up to the rounding to its type.

  Returns:
    An array, or for a sequence a list.

  Raises:
    UserError: images of another type or number of channels, or no tile fits
      into memory.
  """
  found = [
    upscale_float(
      run, x, tile=tile, consistent=consistent, dtype=np.asarray(x).dtype
    )
    for x in images
  ]
  return np.stack(found) if isinstance(images, np.ndarray) else found


def upscale_float(
  run: UpscalerRun,
  image: np.ndarray,
  *,
  tile: int = TILE,
  consistent: bool = False,
  dtype: Any = np.float32,
) -> np.ndarray:
  """An image `(h, w, c)` enlarged, see `upscale`; as float32, about [-1, 1] and
  not clipped, unless another `dtype` is given."""
  check_image(run, image)
  if consistent:
    whole = _enlarge(run, image, tile, np.dtype(np.float32))
    low = np.asarray(normalize(image))
    return as_type(bicubic.project(whole, low), np.dtype(dtype))
  return _enlarge(run, image, tile, np.dtype(dtype))


def check_image(run: UpscalerRun, image: np.ndarray) -> None:
  """Raise a UserError for an image that a run does not enlarge."""
  dtype, shape = getattr(image, "dtype", type(image)), np.shape(image)
  channels = run.image_shape[2]
  fits = len(shape) == 3 and min(shape) and shape[2] == channels
  if not fits or str(dtype) not in TYPES:
    raise UserError(
      f"images: expected (h, w, {channels}) of {', '.join(TYPES)}, got {dtype}"
      f" {shape}."
    )


def as_type(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
  """Float images in [-1, 1] in another type: integers are clipped and
  rounded."""
  if dtype.kind == "f":
    return x.astype(dtype)
  top = np.iinfo(dtype).max
  return np.rint((np.clip(x, -1, 1) + 1) * (top / 2)).astype(dtype)


def _enlarge(
  run: UpscalerRun, image: np.ndarray, tile: int, dtype: np.dtype
) -> np.ndarray:
  """An enlarged image, with smaller tiles if they do not fit into memory."""
  while True:
    try:
      rows = _rows(run, image, tile=tile)
      return np.concatenate([as_type(x, dtype) for x in rows])
    except Exception as error:  # of the runtime or of Python
      if not (memory.is_exhausted(error) or isinstance(error, MemoryError)):
        raise
      if tile // 2 < LEAST:
        raise UserError(
          f"tile={tile}: does not fit into the memory of the device; use a"
          " smaller network or another device."
        ) from error
      tile //= 2
      print(f"out of memory: continuing with tiles of {tile}", flush=True)


def _rows(
  run: UpscalerRun, image: np.ndarray, *, tile: int
) -> Iterator[np.ndarray]:
  """The rows of tiles of an enlarged image, float32 `(rows, f w, c)`."""
  down, across = (spans(n, tile=tile, reach=run.reach) for n in image.shape[:2])
  shape = (1, down[0].length, across[0].length, image.shape[2])
  program = run.cached(_program, shape, str(image.dtype))
  factor, label = run.factor, f"enlarging {image.shape[1]} x {image.shape[0]}"
  with progress.loop(label, len(down) * len(across), unit="tiles") as advance:
    for row in down:
      parts = []
      for column in across:
        window = image[
          row.start : row.start + row.length,
          column.start : column.start + column.length,
        ]
        large = np.asarray(program(run.params, window[None]))[0]
        parts.append(large[_taken(row, factor), _taken(column, factor)])
        advance(1)
      yield np.concatenate(parts, axis=1)


def _taken(span: Span, factor: int) -> slice:
  """The enlarged pixels that are taken from a tile."""
  return slice(
    factor * (span.low - span.start), factor * (span.high - span.start)
  )


def _program(run: LoadedRun, shape: tuple[int, ...], dtype: str) -> Any:
  """The compiled enlargement of a tile, for which there is enough memory."""

  def enlarge(params: Any, tile: jax.Array) -> jax.Array:
    upscale = run.task.upscale
    assert upscale is not None
    return upscale(params)(normalize(tile)).astype(jnp.float32)

  tile = jax.ShapeDtypeStruct(shape, dtype, sharding=run.layout.replicated)
  compiled = jax.jit(enlarge).lower(run.params, tile).compile()
  memory.reserve(compiled)
  return compiled
