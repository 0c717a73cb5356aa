"""Noise models of measurements: the distribution of values around A x."""

from __future__ import annotations

import dataclasses

from jaxgen.typing import Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class GaussianNoise:
  """Independent Gaussian noise on every measured value.

  Attributes:
    variance: finite variance, in squared units of the values: a number or an
      array that broadcasts to them; 0: exact.
  """

  variance: float | Array


EXACT = GaussianNoise(variance=0.0)
"""The noise model of exact measurements."""
