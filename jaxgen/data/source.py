"""The protocol between the sources of images and the input pipeline.

A `Source` gives random access to tiles. It knows one split and one resolution,
and has no state that changes what it returns: `read(i, rng)` is a pure function
of `i` and of the generator's state, so that order, augmentation and resuming
are left to the pipeline.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

Element = dict[str, np.ndarray]


class Source(Protocol):
  """Random access to the tiles of one split at one resolution.

  Attributes:
    label_names: class names, indexed by `label`; empty without labels.
    attribute_names: for each attribute the names of its values.
    fingerprint: a hex digest that changes with the data, so that a run does not
      silently resume on other data.
  """

  label_names: tuple[str, ...]
  attribute_names: dict[str, tuple[str, ...]]
  fingerprint: str

  def __len__(self) -> int:
    """Number of tiles in one epoch."""
    ...

  def read(self, index: int, rng: np.random.Generator | None = None) -> Element:
    """Tile `index` in `[0, len(self))`.

    Args:
      index: of the tile.
      rng: places a random crop; without it the crop is the same at every call
        (validation).

    Returns:
      `image`: (resolution, resolution, channels), uint8 in [0, 255], uint16 in
      [0, 65535] or float32 in [-1, 1]; if known `label` (int32 scalar, -1:
      missing), one int32 scalar for each attribute (-1: missing) and `mask`
      (resolution, resolution) int32. Every element of a source has the same
      keys, shapes and dtypes.
    """
    ...
