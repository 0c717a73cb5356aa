"""The type of laws."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True, kw_only=True)
class Law:
  """A known number, and its computation.

  Attributes:
    name: the quantity.
    source: the paper or argument from which the number follows.
    expected: the expected number.
    tolerance: largest allowed deviation in float32.
    measure: computes the number.
  """

  name: str
  source: str
  expected: float
  tolerance: float
  measure: Callable[[], float]

  def holds(self, measured: float) -> bool:
    """Whether a measured number is within the tolerance; NaN is not."""
    return abs(measured - self.expected) <= self.tolerance
