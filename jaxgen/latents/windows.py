"""The places of latents in images that were encoded window by window."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from jaxgen.windows import WindowGrid

ARRAYS = ("windows", "scaled_sizes", "image_sizes")
MAX_PIXELS = 1 << 27  # of an image
Size = tuple[int, int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class WindowedImage:
  """An image and its windows.

  Attributes:
    name: name of the image.
    grid: the windows on the scaled image.
    size: (height, width) of the original.
  """

  name: str
  grid: WindowGrid
  size: Size


def as_arrays(
  grids: Sequence[WindowGrid], sizes: Sequence[Size]
) -> dict[str, np.ndarray]:
  """The place of every window: (top, left), (height, width) of the scaled image
  and of the original, each `(n, 2)`."""
  counts = [len(grid) for grid in grids]
  scaled = [(grid.height, grid.width) for grid in grids]
  places = [place for grid in grids for place in grid.places]
  columns = (places, np.repeat(scaled, counts, 0), np.repeat(sizes, counts, 0))
  return {
    name: np.asarray(column, np.int32)
    for name, column in zip(ARRAYS, columns, strict=True)
  }


def from_arrays(
  arrays: Mapping[str, np.ndarray], names: Sequence[str], side: int
) -> list[WindowedImage]:
  """The images of which every window is there, in order.

  Args:
    arrays: those of `as_arrays`.
    names: the name of each window's image.
    side: side of a window in pixels.

  Raises:
    ValueError: the windows do not cover the images.
  """
  columns = [np.asarray(arrays[name]) for name in ARRAYS]
  for name, column in zip(ARRAYS, columns, strict=True):
    if column.shape != (len(names), 2) or column.dtype.kind not in "iu":
      raise ValueError(
        f"{name}: expected integers ({len(names)}, 2), got {column.dtype}"
        f" {column.shape}"
      )
  rows = zip(names, *(map(tuple, x.tolist()) for x in columns), strict=True)
  return list(_images(rows, side))


def _images(
  rows: Iterable[tuple[str, Size, Size, Size]], side: int
) -> Iterator[WindowedImage]:
  """The images of (name, place, scaled size, size) of each window."""
  key = lambda row: (row[0], *row[2:])  # noqa: E731
  for (name, scaled, size), group in itertools.groupby(rows, key):
    if min(size) < 1 or size[0] * size[1] > MAX_PIXELS:
      raise ValueError(f"{name}: an image of {size[0]} x {size[1]} pixels")
    yield WindowedImage(
      name=name,
      grid=_grid(name, [place for _, place, *_ in group], scaled, side),
      size=size,
    )


def _grid(
  name: str, places: Sequence[Size], scaled: Size, side: int
) -> WindowGrid:
  """The grid that has these places."""
  rows, columns = (
    tuple(sorted(set(axis))) for axis in zip(*places, strict=True)
  )
  try:
    grid = WindowGrid(
      height=scaled[0], width=scaled[1], side=side, rows=rows, columns=columns
    )
  except ValueError as e:
    raise ValueError(f"{name}: {e}") from e
  if grid.places != [*places]:
    raise ValueError(
      f"{name}: expected its {len(grid)} windows row by row, got {len(places)}"
    )
  return grid
