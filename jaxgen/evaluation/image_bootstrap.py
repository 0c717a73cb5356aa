"""Intervals by image: tiles of one image are alike, so that images are drawn
again, each with all its tiles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

RESAMPLES = 1000
LEVEL = 0.95  # of the intervals
Weights = Float[np.ndarray, "r n"]  # how often each tile is drawn
Interval = tuple[float, float, float]  # the value, and its interval


def draws(groups: Int[np.ndarray, " n"], seed: int = 0) -> Weights:
  """The weights of tiles when images are drawn with replacement; those of the
  first row are 1.

  Args:
    groups: the image of each tile.
    seed: seed of the draws.
  """
  names, places = np.unique(groups, return_inverse=True)
  num = len(names)
  rng = np.random.default_rng(seed)
  counts = rng.multinomial(num, np.full(num, 1 / num), size=RESAMPLES)
  counts = np.concatenate([np.ones((1, num), counts.dtype), counts])
  return counts[:, places].astype(np.float64)


def interval(
  statistic: Callable[[Weights], Float[np.ndarray, " r"]], weights: Weights
) -> Interval:
  """A statistic of weighted tiles, and its percentile interval."""
  values = statistic(weights)
  tail = (1 - LEVEL) / 2
  low, high = np.quantile(values[1:], [tail, 1 - tail])
  return float(values[0]), float(low), float(high)


def mean(
  values: Float[np.ndarray, " n"], weights: Weights
) -> Float[np.ndarray, " r"]:
  """The weighted means."""
  return weights @ values / weights.sum(1)


def ratio(
  above: Float[np.ndarray, " n"],
  below: Float[np.ndarray, " n"],
  weights: Weights,
) -> Float[np.ndarray, " r"]:
  """The ratios of weighted sums."""
  return (weights @ above) / (weights @ below)


def decibels(
  mse: Float[np.ndarray, " n"], weights: Weights
) -> Float[np.ndarray, " r"]:
  """PSNR of all pixels together, by mean squared errors on [0, 1]."""
  return -10 * np.log10(np.maximum(mean(mse, weights), 1e-10))
