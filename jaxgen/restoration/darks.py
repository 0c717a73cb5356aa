"""Black level and read noise from exposures without light."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxgen.restoration.transfer_bins import Bins

LEVELS = 6.0  # deviations beyond which a pixel's level is not typical
SQUARES = 12.0  # those of a pixel's variance, whose distribution is skewed
ROUNDS = 5


class Darks(NamedTuple):
  """What darks say, in DN.

  Attributes:
    black: mean level.
    black_error: its standard error, with the drift from exposure to exposure.
    variance: of the noise of one exposure, of typical pixels.
    variance_error: its standard error.
    frames: number of exposures.
    dead: where pixels are not typical (dead, hot or restless) or no numbers.
    black_map: level of each pixel, as far as it stands out from the noise.
    noise_map: standard deviation of each pixel, likewise; None of one exposure.
    bins: black and variance as a bin of photon transfer; None likewise.
  """

  black: float
  black_error: float
  variance: float
  variance_error: float
  frames: int
  dead: np.ndarray
  black_map: np.ndarray
  noise_map: np.ndarray | None
  bins: Bins | None


def measure(frames: np.ndarray) -> Darks:
  """The black level and the noise of darks `(k, h, w)`, k >= 1.

  Of one exposure the noise is that between pixels, which holds fixed patterns
  too. Of more it is that between exposures, whose common drift is taken out.
  """
  num = len(frames)
  if not all(np.isfinite(x).any() for x in frames):
    raise ValueError("expected pixels that are numbers, got none")
  drift = np.array([np.nanmedian(x) for x in frames], np.float64)
  level = frames.mean(0, dtype=np.float64)
  typical = _typical(level, LEVELS)
  black = float(level[typical].mean())
  spread = float(level[typical].var())
  within = frames - drift[:, None, None]
  squares = within.var(0, ddof=1) if num > 1 else (level - black) ** 2
  if num > 1:
    typical &= _typical(squares, SQUARES)
  count, freedom = int(typical.sum()), max(num - 1, 1)
  variance = float(squares[typical].mean())
  shaky = float(drift.var(ddof=1)) / num if num > 1 else 0.0
  return Darks(
    black=black,
    black_error=float(np.sqrt(spread / max(count, 1) + shaky)),
    variance=variance,
    variance_error=variance * float(np.sqrt(2 / (freedom * count))),
    frames=num,
    dead=~typical,
    black_map=_shrunk(level, typical, variance / num),
    noise_map=np.sqrt(_shrunk(squares, typical, 2 * variance**2 / freedom))
    if num > 1
    else None,
    bins=_bins(black, variance, count=count, frames=num),
  )


def _shrunk(
  values: np.ndarray, typical: np.ndarray, variance: float
) -> np.ndarray:
  """Values, the typical ones moved to their mean as far as their errors, of
  this variance, explain how they differ."""
  center, spread = values[typical].mean(), values[typical].var()
  real = max(1 - variance / spread, 0.0) if spread else 0.0
  return np.where(typical, center + real * (values - center), values)


def _bins(
  black: float, variance: float, *, count: int, frames: int
) -> Bins | None:
  if frames < 2:
    return None
  values = (black, variance, count, frames)
  return Bins(*(np.array([x]) for x in values))


def _typical(values: np.ndarray, deviations: float) -> np.ndarray:
  """Where values are finite and not far above or below the others."""
  kept = np.isfinite(values)
  for _ in range(ROUNDS):
    if not kept.any():
      raise ValueError("expected pixels that are numbers, got none")
    center, spread = values[kept].mean(), values[kept].std()
    kept &= np.abs(values - center) <= deviations * spread
  return kept
