"""The protocol between image sources and the input pipeline.

A `Source` gives random access to the tiles of one split at one resolution. It
is stateless: `read(i, rng)` is a pure function of `i` and the random stream;
order, augmentation and resuming are left to the pipeline.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from jaxgen.data.findings import Findings
from jaxgen.data.streams import Streams

Element = dict[str, np.ndarray]


class Source(Protocol):
  """Random access to the tiles of one split at one resolution.

  Attributes:
    label_names: class names, indexed by `label`; empty without labels.
    attribute_names: value names of each attribute.
    fingerprint: a hex digest that changes with the data, so that a run does not
      silently resume on different data.
    findings: what the source has found in its data.
  """

  label_names: tuple[str, ...]
  attribute_names: dict[str, tuple[str, ...]]
  fingerprint: str
  findings: Findings

  def __len__(self) -> int:
    """Number of tiles per epoch."""
    ...

  def read(self, index: int, rng: Streams | None = None) -> Element:
    """Tile `index` in `[0, len(self))`.

    Args:
      index: index of the tile.
      rng: random numbers for crops, at most five; without it crops are fixed
        (validation).

    Returns:
      `image`: (resolution, resolution, channels), uint8 in [0, 255], uint16 in
      [0, 65535] or float32 in [-1, 1]; if available `label` (int32 scalar, -1:
      missing), an int32 scalar per attribute (-1: missing), `mask` (resolution,
      resolution) int32, `hint` (resolution, resolution, hint channels) uint8 or
      uint16 and `low`, a small image in the type of `image`. All elements of a
      source have the same keys, shapes and dtypes.
    """
    ...


@runtime_checkable
class BatchSource(Source, Protocol):
  """A source that reads a batch of tiles at once, faster than one by one."""

  def read_batch(
    self, indices: np.ndarray, rng: Streams | None = None
  ) -> Element:
    """The tiles `indices`, stacked; equal to those of `read`.

    Args:
      indices: int64 `(b,)`, indices of tiles.
      rng: the random stream of each tile.

    Returns:
      The fields of `read`, each `(b, ...)`, newly allocated.
    """
    ...
