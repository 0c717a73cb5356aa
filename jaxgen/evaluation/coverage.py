"""How well samples of a posterior tell its spread.

By K samples of a value with mean m and standard deviation s, the truth is
within m +- t s sqrt(1 + 1/K), with the quantile t of Student's distribution of
K - 1 degrees of freedom, as often as the interval claims; its rank among the
samples is any of 0 ... K equally often.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import special

LEVELS = (0.5, 0.68, 0.95)
FITTED = 0.68  # level at which a factor is fitted


class Spread(NamedTuple):
  """Deviations of truths from samples, of each tile.

  Attributes:
    errors: squared errors of the samples' mean, the mean of each tile.
    variances: variances that the samples tell of these, the mean of each tile.
    deviations: |truth - mean| in standard deviations, flat `(n, pixels)`.
    ranks: how often the truth has each rank.
    samples: K.
  """

  errors: Float[np.ndarray, " n"]
  variances: Float[np.ndarray, " n"]
  deviations: Float[np.ndarray, "n m"]
  ranks: Int[np.ndarray, "n k1"]
  samples: int


def spread(
  samples: Float[np.ndarray, "k n h w c"],
  truths: Float[np.ndarray, "n h w c"],
  *,
  seed: int = 0,
) -> Spread:
  """The deviations of truths from their samples, at least 2; ranks of equal
  values are drawn."""
  k, n = samples.shape[:2]
  flat = samples.reshape(k, n, -1).astype(np.float64)
  truth = truths.reshape(n, -1).astype(np.float64)
  error = (truth - flat.mean(0)) ** 2
  variance = flat.var(0, ddof=1) * (1 + 1 / k)
  below, equal = (flat < truth).sum(0), (flat == truth).sum(0)
  ranks = np.random.default_rng(seed).integers(below, below + equal + 1)
  return Spread(
    errors=error.mean(1),
    variances=variance.mean(1),
    deviations=np.sqrt(error / np.maximum(variance, 1e-12)),
    ranks=np.stack([np.bincount(x, minlength=k + 1) for x in ranks]),
    samples=k,
  )


def covered(
  found: Spread, level: float, factor: float | Float[np.ndarray, " n"] = 1.0
) -> Float[np.ndarray, " n"]:
  """The share of each tile's values within intervals, whose standard deviations
  are multiplied by a factor."""
  reach = np.broadcast_to(
    _quantile(found.samples, level) * factor, len(found[0])
  )
  return np.mean(found.deviations <= reach[:, None], 1)


def factors(
  found: Spread, groups: Int[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
  """The factor of each tile with which the intervals of other images cover what
  they claim: images are divided into two halves, each fitted on the other; 1
  for a single image."""
  _, places = np.unique(groups, return_inverse=True)
  half = places % 2
  result = np.ones(len(half))
  if half.any():
    for side in (0, 1):
      other = found.deviations[half != side]
      reach = np.quantile(other, FITTED)
      result[half == side] = reach / _quantile(found.samples, FITTED)
  return result


def _quantile(samples: int, level: float) -> float:
  return float(special.stdtrit(samples - 1, (1 + level) / 2))
