"""The seam between where images come from and how they are fed.

A `Source` gives random access to tiles. It knows one split and one resolution,
and holds no state that changes what it returns: `read(i, rng)` is a pure
function of `i` and of the generator's state, so that the order, the
augmentation and the resumption of a run are the pipeline's business alone.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

Element = dict[str, np.ndarray]


class Source(Protocol):
  """Random access to the tiles of one split at one resolution.

  Attributes:
    label_names: class names, `label` indexes them; empty without labels.
    attribute_names: for each named attribute its values' names.
    fingerprint: changes when the data change (a hex digest), so that a run is
      not resumed on other data unawares.
  """

  label_names: tuple[str, ...]
  attribute_names: dict[str, tuple[str, ...]]
  fingerprint: str

  def __len__(self) -> int:
    """Tiles in one epoch."""
    ...

  def read(self, index: int, rng: np.random.Generator | None = None) -> Element:
    """Tile `index` in `[0, len(self))`.

    Args:
      index: which tile.
      rng: places a random crop; without it the crop is a fixed one, the same
        at every call (validation).

    Returns:
      `image`: (resolution, resolution, channels), uint8 in [0, 255], uint16 in
      [0, 65535] or float32 in [-1, 1]; where known `label` (int32 scalar, -1:
      missing), one int32 scalar for each attribute (-1: missing) and `mask`
      (resolution, resolution) int32. Every element of a source has the same
      keys, shapes and dtypes.
    """
    ...
