"""The type of laws."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax

from jaxgen.parallel.precision import Precision


@dataclasses.dataclass(frozen=True, kw_only=True)
class Law:
  """A known number, and its computation.

  Attributes:
    name: the quantity.
    source: the paper or argument from which the number follows.
    expected: the expected number.
    tolerance: largest allowed deviation in float32.
    measure: computes the number, at JAX's current precision.
  """

  name: str
  source: str
  expected: float
  tolerance: float
  measure: Callable[[], float]

  def measured(self, precision: Precision = "highest") -> float:
    """The number on this device; `default` precision is for comparison."""
    with jax.default_matmul_precision(precision):
      return self.measure()

  def holds(self, measured: float) -> bool:
    """Whether a measured number is within the tolerance; NaN is not."""
    return abs(measured - self.expected) <= self.tolerance
