"""Photon transfer: gain and read noise from variance against level.

For DN = gain (Poisson(rate) + N(0, r^2)) + black the variance is a line in the
level, whose slope is the gain (Janesick 2007, "Photon transfer"):

    variance = gain (level - black) + gain^2 r^2
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxgen.restoration import transfer_bins
from jaxgen.restoration.transfer_bins import Bins, Scene

HUBER = 2.5  # standard errors beyond which a bin's weight falls
ROUNDS = 8  # of weights
CLIPS = 5  # rounds of leaving out pixels
DEVIATIONS = 5.0  # beyond this many and as many electrons a pixel is left out
MEDIAN = 0.455  # of chi-squared with one degree of freedom
FLAT = 1e-3  # lowest variance in a weight, of the median


class Transfer(NamedTuple):
  """A line through bins, `variance = gain level + intercept`; DN.

  Attributes:
    gain: DN per electron.
    intercept: variance at level 0.
    covariance: of gain and intercept.
    chi_squared: by degree of freedom; NaN if there is none.
    bins: what the line was fitted to.
    residuals: of each bin in standard errors.
  """

  gain: float
  intercept: float
  covariance: np.ndarray
  chi_squared: float
  bins: Bins
  residuals: np.ndarray

  @property
  def gain_error(self) -> float:
    """The standard error of the gain."""
    return float(np.sqrt(self.covariance[0, 0]))

  def variance(self, level: np.ndarray) -> np.ndarray:
    """The variance at levels."""
    return self.gain * level + self.intercept


def photon_transfer(
  scenes: Sequence[Scene],
  *,
  darks: Bins | None = None,
  black: float | None = None,
) -> Transfer:
  """The line through the bins of scenes, and those of darks.

  Pixels that deviate by more than `DEVIATIONS` standard deviations and as many
  electrons, such as cosmic rays and moving edges, are left out in rounds.

  Raises:
    ValueError: fewer than two bins have enough pixels.
  """
  found = [transfer_bins.bins(x) for x in scenes]
  line = _fit_all(found, darks, black=black)
  for _ in range(CLIPS):
    limits = [_limits(line, x) for x in found]
    found = [
      transfer_bins.bins(x, limit)
      for x, limit in zip(scenes, limits, strict=True)
    ]
    line = _fit_all(found, darks, black=black)
  return line


def fit(bins: Bins, *, black: float | None = None) -> Transfer:
  """A robust line through bins.

  A bin's error in `variance - gain level` is exactly 2 variance^2 / (k - 1) +
  gain^4 r^2 / k, by pixel: the fourth cumulant of counts cancels against the
  covariance of their mean and variance. It is taken of the line, not of the
  data, by which weights would be biased. Errors of the result are those of the
  normal equations, wider where the residuals are.
  """
  if len(bins.level) < 2:
    raise ValueError(
      f"expected pixels of 2 or more levels, got {len(bins.level)}: a level"
      f" needs {transfer_bins.LEAST} pixels"
    )
  design = np.stack([bins.level, np.ones_like(bins.level)], axis=1)
  slope, intercept, expected = 0.0, 0.0, bins.variance
  normal, residuals = np.eye(2), np.zeros_like(bins.level)
  for i in range(ROUNDS):
    read = 0.0 if black is None else max(intercept + slope * black, 0.0)
    error = _errors(bins, expected, slope**2 * read)
    weight = _huber(residuals) / error**2 if i else 1 / error**2
    normal = np.linalg.pinv(design.T @ (weight[:, None] * design))
    slope, intercept = normal @ (design.T @ (weight * bins.variance))
    expected = design @ (slope, intercept)
    residuals = (bins.variance - expected) / error
  degrees = len(bins.level) - 2
  return Transfer(
    gain=float(slope),
    intercept=float(intercept),
    covariance=normal * _widening(residuals),
    chi_squared=float(np.sum(residuals**2) / degrees) if degrees else np.nan,
    bins=bins,
    residuals=residuals,
  )


def _errors(bins: Bins, variance: np.ndarray, extra: float) -> np.ndarray:
  """The standard errors of `variance - gain level` of bins."""
  lowest = FLAT * np.median(bins.variance)
  squared = 2 * np.maximum(variance, lowest) ** 2 / (bins.frames - 1)
  return np.sqrt((squared + extra / bins.frames) / bins.count)


def _huber(residuals: np.ndarray) -> np.ndarray:
  return np.minimum(1.0, HUBER / np.maximum(np.abs(residuals), 1e-9))


def _widening(residuals: np.ndarray) -> float:
  """The factor on a covariance by which residuals exceed their errors: their
  median, or their mean with outliers weighted down."""
  degrees = len(residuals) - 2
  if not degrees:
    return 1.0
  squared = residuals**2
  mean = float(np.sum(_huber(residuals) * squared)) / degrees
  return max(1.0, float(np.median(squared)) / MEDIAN, mean)


def _fit_all(
  found: Sequence[Bins], darks: Bins | None, *, black: float | None
) -> Transfer:
  parts = [*found, *([] if darks is None else [darks])]
  usable = transfer_bins.usable(transfer_bins.joined(parts))
  return fit(usable, black=black)


def _limits(line: Transfer, found: Bins) -> np.ndarray:
  """The largest deviation of pixels of each bin."""
  variance = np.maximum(line.variance(found.level), 0.0)
  return DEVIATIONS * (np.sqrt(variance) + max(line.gain, 0.0))
