"""Whether counts agree with an estimate of their rates.

If they are counts of these rates, residuals divided by their standard
deviations have a mean square (chi-squared by value) of 1, and neighbors are not
correlated. The mean of many possible images fits a little better, since it has
seen the counts.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

LEAST_RATE = 0.05  # electrons, for variances

Counts = Float[np.ndarray, "h w c"]


def standardized(counts: Counts, rate: Counts, *, read_noise: Counts) -> Counts:
  """Residuals in standard deviations; NaN where nothing is seen.

  Args:
    counts: electrons; NaN where nothing is seen.
    rate: expected electrons.
    read_noise: standard deviation of the read noise in electrons.
  """
  variance = np.maximum(rate, LEAST_RATE) + read_noise**2
  return (counts - rate) / np.sqrt(variance)


def chi_squared(residuals: Counts) -> float:
  """The mean square of standardized residuals; NaN if there are none."""
  return _mean(residuals**2)


def autocorrelation(residuals: Counts) -> float:
  """The correlation of residuals of pixels beside or below each other; NaN if
  there are none."""
  across = residuals[:, 1:] * residuals[:, :-1]
  down = residuals[1:] * residuals[:-1]
  together = np.concatenate([across.ravel(), down.ravel()])
  square = _mean(residuals**2)
  return _mean(together) / square if square else float("nan")


def _mean(values: np.ndarray) -> float:
  known = values[np.isfinite(values)].astype(np.float64)
  return float(known.mean()) if known.size else float("nan")
