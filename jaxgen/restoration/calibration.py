"""The calibration of a camera from measurements of its noise."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from jaxgen.restoration.darks import Darks
from jaxgen.restoration.photon_transfer import Transfer

ROUNDING = 1 / 12  # variance of rounding to integers, in DN^2
FEW_DARKS = 16  # below which the noise of single pixels is badly known
WORST = 5.0  # chi-squared by degree of freedom beyond which a line is doubted
SURE = 3.0  # standard errors


@dataclasses.dataclass(frozen=True, kw_only=True)
class Calibration:
  """What is known of a camera; levels in DN, errors are standard errors.

  Attributes:
    method: how it was measured.
    gain: DN per electron; None: unknown.
    gain_error: None: unknown.
    read_noise: in electrons; None: unknown.
    read_noise_error: None: unknown.
    black: DN of no electrons.
    black_error: None: unknown.
    white: lowest DN of saturated pixels; infinite: none is known.
    chi_squared: of the fit, by degree of freedom; None: there is none.
    rounded: whether the values are integers, whose rounding adds a variance of
      1/12 DN^2 that is not part of the read noise.
    warnings: what a user must know.
  """

  method: str
  gain: float | None
  gain_error: float | None = None
  read_noise: float | None = None
  read_noise_error: float | None = None
  black: float = 0.0
  black_error: float | None = None
  white: float = math.inf
  chi_squared: float | None = None
  rounded: bool = False
  warnings: tuple[str, ...] = ()


def from_transfer(
  line: Transfer,
  *,
  method: str,
  black: float | None = None,
  white: float = math.inf,
  rounded: bool = False,
  darks: Darks | None = None,
) -> Calibration:
  """The calibration by a line of photon transfer, and by darks if there are
  any.

  Without a black level the line alone is known: the read noise is taken to be
  0, and the black level where the line has no variance.

  Raises:
    ValueError: the gain is not above 0.
  """
  if not line.gain > 0:
    raise ValueError(
      f"expected a gain above 0, got {line.gain:.3g} +- {line.gain_error:.2g}"
      " DN per electron: the noise does not grow with the level"
    )
  variance = line.intercept - (ROUNDING if rounded else 0.0)
  common = Calibration(
    method=method,
    gain=line.gain,
    gain_error=line.gain_error,
    white=white,
    chi_squared=None if math.isnan(line.chi_squared) else line.chi_squared,
    rounded=rounded,
    warnings=doubts(line),
  )
  if darks:
    return _with_darks(common, darks)
  if black is None:
    return _without_black(common, variance)
  read, error = _read_variance(line, variance, black=black)
  return dataclasses.replace(
    common,
    black=black,
    read_noise=math.sqrt(max(read, 0.0)),
    read_noise_error=_root_error(read, error),
    warnings=(*common.warnings, *_below(read, error)),
  )


def from_darks(
  darks: Darks,
  *,
  gain: float | None,
  white: float = math.inf,
  rounded: bool = False,
) -> Calibration:
  """The calibration by darks and a gain from elsewhere, if it is known."""
  unknown = "the gain is unknown: darks do not tell it"
  return _with_darks(
    Calibration(
      method="darks",
      gain=gain,
      white=white,
      rounded=rounded,
      warnings=() if gain else (unknown,),
    ),
    darks,
  )


def doubts(line: Transfer) -> tuple[str, ...]:
  """Sentences on what is doubtful in a line."""
  found = []
  if line.gain < SURE * line.gain_error:
    found.append(
      f"the gain is uncertain, {line.gain:.3g} +- {line.gain_error:.2g}: the"
      " levels span too little"
    )
  if line.chi_squared > WORST:
    found.append(
      f"chi-squared is {line.chi_squared:.1f} by degree of freedom: the"
      " variance is no line in the level, as of processed images (JPEG, sRGB)"
      " and of scenes that changed"
    )
  return tuple(found)


def read_noise_dn2(darks: Darks, *, rounded: bool) -> float:
  """The variance of the read noise in DN^2."""
  return max(darks.variance - (ROUNDING if rounded else 0.0), 0.0)


def _with_darks(known: Calibration, darks: Darks) -> Calibration:
  """A calibration with black level and read noise of darks."""
  warnings = [*known.warnings, *_doubts_of_darks(darks)]
  variance = read_noise_dn2(darks, rounded=known.rounded)
  noise, error = None, None
  if known.gain:
    noise = math.sqrt(variance) / known.gain
    own = darks.variance_error / known.gain**2
    relative = (known.gain_error or 0.0) / known.gain
    error = math.hypot(_root_error(noise**2, own), noise * relative)
  return dataclasses.replace(
    known,
    read_noise=noise,
    read_noise_error=error,
    black=darks.black,
    black_error=darks.black_error,
    warnings=tuple(warnings),
  )


def _doubts_of_darks(darks: Darks) -> Sequence[str]:
  if darks.frames == 1:
    return [
      "one dark: its noise holds the fixed pattern too; two or more tell the"
      " read noise alone"
    ]
  if darks.frames < FEW_DARKS:
    share = math.sqrt(0.5 / (darks.frames - 1))
    return [
      f"{darks.frames} darks tell the noise of a single pixel to {share:.0%}"
      " only, so that the maps stay close to their means:"
      f" {FEW_DARKS} or more are better"
    ]
  return []


def _without_black(known: Calibration, variance: float) -> Calibration:
  assert known.gain
  return dataclasses.replace(
    known,
    black=-variance / known.gain,
    read_noise=0.0,
    warnings=(
      *known.warnings,
      "the black level is unknown, so it and the read noise cannot be told"
      " apart: the read noise is taken to be 0, and the black level where the"
      " noise would vanish; the variance at each level is right, electrons are"
      " counted from there (--black or --darks tell it)",
    ),
  )


def _read_variance(
  line: Transfer, variance: float, *, black: float
) -> tuple[float, float]:
  """The variance of the read noise in electrons^2, and its error."""
  at_black = variance + line.gain * black
  slope = black / line.gain**2 - 2 * at_black / line.gain**3
  way = np.array([slope, 1 / line.gain**2])
  error = math.sqrt(float(way @ line.covariance @ way))
  return at_black / line.gain**2, error


def _root_error(squared: float, error: float) -> float:
  """The error of a root, at most that of a root of 0."""
  root = math.sqrt(max(squared, 0.0))
  return min(error / (2 * root), math.sqrt(error)) if root else math.sqrt(error)


def _below(read: float, error: float) -> Sequence[str]:
  if read > -SURE * error:
    return []
  return [
    f"the variance at black is below 0 ({read:.3g} +- {error:.2g} electrons^2):"
    " is the black level right?"
  ]
