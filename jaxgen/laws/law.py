"""What a law is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True, kw_only=True)
class Law:
  """One number that is known.

  Attributes:
    name: what is measured.
    source: where it is written, or what it follows from.
    expected: the number.
    tolerance: how far from it a float32 computation may be.
    measure: computes it.
  """

  name: str
  source: str
  expected: float
  tolerance: float
  measure: Callable[[], float]

  def holds(self, measured: float) -> bool:
    """Whether a measured number is near enough; NaN is not."""
    return abs(measured - self.expected) <= self.tolerance


def law(
  name: str,
  source: str,
  expected: float,
  tolerance: float,
  measure: Callable[[], float],
) -> Law:
  """A law, in one line."""
  return Law(
    name=name,
    source=source,
    expected=expected,
    tolerance=tolerance,
    measure=measure,
  )
