"""Overlapping windows that cover an image, and its reassembly from them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

Finish = Callable[[np.ndarray], np.ndarray]


def places(length: int, side: int, overlap: int) -> list[int]:
  """Window offsets: the fewest that overlap enough, evenly spaced."""
  count = -(-(length - overlap) // (side - overlap))
  return [round(x) for x in np.linspace(0, length - side, max(count, 1))]


def ramp(side: int) -> np.ndarray:
  """The weights of a window's pixels, decreasing linearly to its edges."""
  pixels = np.arange(side)
  return np.minimum(pixels + 1, side - pixels).astype(np.float32)


@dataclasses.dataclass(frozen=True, kw_only=True)
class WindowGrid:
  """A grid of square windows that cover an image.

  Attributes:
    height, width: size of the image in pixels, at least `side`.
    side: side of a window.
    rows: the tops of the windows, ascending.
    columns: the left edges of the windows, ascending.

  Raises:
    ValueError: the windows do not cover the image.
  """

  height: int
  width: int
  side: int
  rows: tuple[int, ...]
  columns: tuple[int, ...]

  def __post_init__(self):
    covered = _cover(self.rows, self.side, self.height)
    if not covered or not _cover(self.columns, self.side, self.width):
      raise ValueError(
        f"expected windows of {self.side} x {self.side} that cover"
        f" {self.height} x {self.width}"
      )

  def __len__(self) -> int:
    return len(self.rows) * len(self.columns)

  @property
  def places(self) -> list[tuple[int, int]]:
    """The (top, left) of each window, row by row."""
    return list(itertools.product(self.rows, self.columns))

  @property
  def least_overlap(self) -> int:
    """The smallest overlap of neighbors in pixels; 0 for a single window."""
    axes = (self.rows, self.columns)
    steps = [b - a for axis in axes for a, b in itertools.pairwise(axis)]
    return self.side - max(steps, default=self.side)

  def cut(self, image: np.ndarray) -> Iterator[np.ndarray]:
    """The windows of an image `(height, width, c)`, row by row."""
    for top, left in self.places:
      yield image[top : top + self.side, left : left + self.side]

  def assemble(
    self, windows: Iterable[np.ndarray], *, finish: Finish
  ) -> np.ndarray:
    """An image from its windows `(side, side, c)`, row by row.

    Overlapping windows are averaged with weights that decrease linearly to
    their edges, so that there are no seams. No more than a row of windows is
    held at a time.

    Args:
      windows: as many as the grid has.
      finish: maps the float32 pixels of each finished part of the image.
    """
    remaining, parts = iter(windows), []
    across = _shares(self.columns, self.side, length=self.width)
    down = _shares(self.rows, self.side, length=self.height)
    ends = [*self.rows[1:], self.height]
    band = np.zeros((0, 0, 0), np.float32)
    for top, end, share in zip(self.rows, ends, down, strict=True):
      row = itertools.islice(remaining, len(self.columns))
      band = _extended(band, self._row(row, across) * share[:, None, None])
      parts.append(finish(band[: end - top]))
      band = band[end - top :]
    return np.concatenate(parts)

  def _row(
    self, windows: Iterable[np.ndarray], across: list[np.ndarray]
  ) -> np.ndarray:
    """Windows beside each other, averaged where they overlap."""
    total = None
    items = zip(self.columns, across, windows, strict=True)
    for left, share, window in items:
      if total is None:
        shape = (self.side, self.width, window.shape[2])
        total = np.zeros(shape, np.float32)
      total[:, left : left + self.side] += window * share[None, :, None]
    assert total is not None
    return total


def window_grid(
  height: int, width: int, *, side: int, overlap: int = 0
) -> WindowGrid:
  """The fewest windows that cover an image and overlap by at least `overlap`
  pixels, evenly spaced."""
  return WindowGrid(
    height=height,
    width=width,
    side=side,
    rows=tuple(places(height, side, overlap)),
    columns=tuple(places(width, side, overlap)),
  )


def _cover(starts: Sequence[int], side: int, length: int) -> bool:
  """Whether windows from the first to the last pixel leave no gap."""
  steps = [b - a for a, b in itertools.pairwise(starts)]
  ends = len(starts) and (starts[0], starts[-1]) == (0, length - side)
  return bool(ends) and all(0 < step <= side for step in steps)


def _extended(band: np.ndarray, row: np.ndarray) -> np.ndarray:
  """A row with what earlier rows have left at its top added."""
  if len(band):
    row[: len(band)] += band
  return row


def _shares(
  starts: Sequence[int], side: int, *, length: int
) -> list[np.ndarray]:
  """The share of each window in each of its pixels, along one axis."""
  weight, total = ramp(side), np.zeros(length, np.float32)
  for start in starts:
    total[start : start + side] += weight
  return [weight / total[start : start + side] for start in starts]
