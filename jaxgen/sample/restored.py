"""The result of a restoration."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from scipy import special

from jaxgen.config.fields import ClosedUnit, check_value
from jaxgen.errors import UserError
from jaxgen.sample.exposure import White
from jaxgen.sample.resolution_choice import Choice
from jaxgen.sample.restoration_checks import Check


@dataclasses.dataclass(frozen=True, kw_only=True)
class Restoration:
  """Restored images, in digital numbers as the counts: the numbers that a
  camera without noise would show.

  Attributes:
    mean: the mean of the images that the counts allow, shaped as the counts.
    std: their standard deviation, times `std_factor`; NaN where it is not
      known, None if it is nowhere.
    samples: such images `(k, ...)`; None without sampling.
    white: electrons of white above black, and where that is from.
    std_factor: factor on the standard deviation.
    checks: agreement of each image with its counts.
    choice: the resolution that was chosen; None: that of the run.
    calls: network calls.
    seconds: their time, with that of compilation.
  """

  mean: np.ndarray
  std: np.ndarray | None
  samples: np.ndarray | None
  white: White
  std_factor: float
  checks: tuple[Check, ...]
  choice: Choice | None
  calls: int
  seconds: float

  @property
  def warnings(self) -> tuple[str, ...]:
    """What may be wrong, without repetitions."""
    chosen = () if self.choice is None else self.choice.warnings
    found = (x for check in self.checks for x in check.warnings)
    return tuple(dict.fromkeys((*chosen, *found)))

  def spread(self, level: float = 0.95) -> float:
    """Half the width of the interval in which a true value lies with this
    probability, in standard deviations: of a few samples, by Student's t."""
    check_value("level", ClosedUnit, level)
    num = 0 if self.samples is None else len(self.samples)
    if num == 1:
      raise UserError("samples: expected 0, or 2 or more, for an interval.")
    if not num:
      return float(special.ndtri((1 + level) / 2))
    student = special.stdtrit(num - 1, (1 + level) / 2)
    return float(student) * math.sqrt(1 + 1 / num)

  def interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """The lower and upper ends of the interval of each value."""
    if self.std is None:
      raise UserError(
        "samples=0: expected 2 or more for an interval by this run."
      )
    half = self.spread(level) * self.std
    return self.mean - half, self.mean + half
