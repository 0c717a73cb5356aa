"""Agreement of restored images with their counts, and what may be wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

from jaxgen.config.diffusion import DiffusionConfig
from jaxgen.restoration import agreement, image_noise
from jaxgen.restoration.operators import Operator
from jaxgen.sample.exposure import Exposure, Stack

LOWEST, HIGHEST = 0.75, 1.33  # chi-squared that is not suspicious
LOW, HIGH = 0.9, 1.15  # the same if the noise is not that of the camera
UNEXPLAINED = 0.2  # correlation of the residuals of neighbors
SATURATED = 1e-4  # share of the values
BELOW, FEW_BELOW = 6.0, 1e-3  # standard deviations below black, and their share
ABOVE, FEW_ABOVE = 5.0, 1e-3  # the same above white
FEW_ELECTRONS = 0.1
UNKNOWN = 0.01  # share of standard deviations that are not known
Parts = np.ndarray  # (n, k, h, w, c)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check:
  """Agreement of one image with its counts.

  Attributes:
    electrons_at_white: electrons of white above black.
    electrons_mean: mean of the counts in electrons.
    unseen: share of values that are NaN.
    saturated: share of values at the white level or above.
    chi_squared_mean: of the mean.
    chi_squared_samples: of single samples; None: there are none.
    autocorrelation: of the standardized residuals of the mean, between
      neighbors.
    noise_ratio: variance of the noise, measured on the counts, over that of
      the camera; NaN: too little is seen.
    warnings: what may be wrong, a sentence each.
  """

  electrons_at_white: float
  electrons_mean: float
  unseen: float
  saturated: float
  chi_squared_mean: float
  chi_squared_samples: float | None
  autocorrelation: float
  noise_ratio: float
  warnings: tuple[str, ...] = ()


def check(
  exposed: Exposure,
  mean: Stack,
  samples: Parts | None,
  std: Stack | None,
  *,
  operator: Operator,
  config: DiffusionConfig,
) -> tuple[Check, ...]:
  """Compare images with their counts.

  Args:
    exposed: the counts.
    mean: the mean of each image, in [-1, 1].
    samples: samples of each.
    std: standard deviations, NaN where they are not known.
    operator: what the counts measure of the images.
    config: of the denoiser.
  """
  found = []
  for i, counts in enumerate(exposed.electrons):
    noise, numbers = exposed.read_noise[i], exposed.numbers[i]

    def residuals(x: Stack, counts=counts, noise=noise) -> list[np.ndarray]:
      rate = (
        exposed.scale * np.asarray(operator.apply(jnp.asarray(x)))
        + exposed.offset
      )
      standardized = agreement.standardized
      return [standardized(counts, each, read_noise=noise) for each in rate]

    (of_mean,) = residuals(mean[i : i + 1])
    single = None
    if samples is not None:
      each = [agreement.chi_squared(x) for x in residuals(samples[i])]
      single = float(np.mean(each))
    known = Check(
      electrons_at_white=exposed.white.electrons,
      electrons_mean=float(np.nanmean(counts)) if _any(counts) else np.nan,
      unseen=float(np.mean(np.isnan(numbers))),
      saturated=float(np.mean(np.isnan(counts) & ~np.isnan(numbers))),
      chi_squared_mean=agreement.chi_squared(of_mean),
      chi_squared_samples=single,
      autocorrelation=agreement.autocorrelation(of_mean),
      noise_ratio=_noise_ratio(counts, noise),
    )
    warnings = tuple(_warnings(known, exposed, i, config=config))
    if std is not None:
      warnings += tuple(_about_std(std[i]))
    found.append(dataclasses.replace(known, warnings=warnings))
  return tuple(found)


def _noise_ratio(counts: np.ndarray, read_noise: np.ndarray) -> float:
  found = image_noise.mean_variance(list(np.moveaxis(counts, -1, 0)))
  return image_noise.over_expected(found, counts, read_noise)


def _any(counts: np.ndarray) -> bool:
  return bool(np.isfinite(counts).any())


def _warnings(
  known: Check, exposed: Exposure, i: int, *, config: DiffusionConfig
) -> Iterator[str]:
  counts, numbers = exposed.electrons[i], exposed.numbers[i]
  noise = exposed.read_noise[i]
  if not _any(counts):
    yield "no value is below the white level: the image is the prior's alone"
    return
  if known.unseen:
    yield f"{known.unseen:.2%} of the values are not numbers: left to the prior"
  if known.saturated > SATURATED:
    yield (
      f"{known.saturated:.2%} of the values are at the white level or above:"
      " left to the prior"
    )
  low = np.nanmean(counts < -BELOW * np.maximum(noise, 0.5))
  if low > FEW_BELOW:
    yield (
      f"{low:.2%} of the values are more than {BELOW:g} times the read noise"
      " below black: black or read noise is wrong"
    )
  yield from _about_scale(known, exposed, counts, noise, config=config)
  integers = numbers[np.isfinite(numbers)]
  if integers.size and np.abs(integers).max() <= 1 and np.any(integers % 1):
    yield (
      "the values are between 0 and 1: counts in DN are expected, since a"
      " scaled image has another gain"
    )
  other = image_noise.doubtful(known.noise_ratio, counts[..., 0].size)
  yield from _about_fit(known, other_noise=other)


def _about_scale(
  known: Check,
  exposed: Exposure,
  counts: np.ndarray,
  noise: np.ndarray,
  *,
  config: DiffusionConfig,
) -> Iterator[str]:
  white, (least, most) = known.electrons_at_white, config.photons
  if config.noise_map and not least / 2 <= white <= most * 2:
    yield (
      f"white is {white:.3g} electrons: the denoiser was trained for {least:g}"
      f" to {most:g}"
    )
  if known.electrons_mean < FEW_ELECTRONS:
    yield (
      f"a value is {known.electrons_mean:.2g} electrons on average: little is"
      " seen, or the gain is wrong"
    )
  top = white + exposed.background
  high = np.nanmean(counts > top + ABOVE * np.sqrt(top + noise**2))
  if high > FEW_ABOVE:
    yield (
      f"{high:.2%} of the values are brighter than white, {top:.3g} electrons:"
      " the prior knows no such light; a larger scale includes it"
    )


def _about_std(std: np.ndarray) -> Iterator[str]:
  unknown = float(np.mean(np.isnan(std)))
  if unknown > UNKNOWN:
    yield (
      f"the standard deviation is unknown (NaN) for {unknown:.0%} of the"
      " values, whose derivative is not positive, and unsure for the others:"
      " samples=8 gives it"
    )


def _about_fit(known: Check, *, other_noise: bool) -> Iterator[str]:
  found = known.chi_squared_samples
  found = known.chi_squared_mean if found is None else found
  low, high = (LOW, HIGH) if other_noise else (LOWEST, HIGHEST)
  if not low <= found <= high:
    noise = (
      f" and the noise {known.noise_ratio:.2g} times as strong as expected"
    )
    yield (
      f"chi-squared of the residuals is {found:.3g}, expected about 1"
      f"{noise if other_noise else ''}: gain"
      " (DN per electron), read noise (electrons) or black (DN) are not those"
      " of this image, or the prior does not know such images"
    )
  if known.autocorrelation > UNEXPLAINED:
    yield (
      f"residuals of neighbors are correlated ({known.autocorrelation:.2f}):"
      " the image has structure that the result lacks, or its noise is not that"
      " of single pixels, as after resizing or demosaicing"
    )
