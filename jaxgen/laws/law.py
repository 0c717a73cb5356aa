"""The type of a law."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True, kw_only=True)
class Law:
  """A number that is known.

  Attributes:
    name: the quantity.
    source: the paper or the argument that gives the number.
    expected: the number.
    tolerance: largest deviation of a float32 computation.
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
