"""Noise and detail of a single image, measured on the image itself.

The noise is that of the least rough blocks of each level of brightness, so that
edges are not counted, as they are by the variance of an image or of its
neighborhoods. Detail is what the image has beyond the highest frequency of a
lower resolution and beyond the noise.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import fft, ndimage

from jaxgen.restoration import single_image

Plane = Float[np.ndarray, "h w"]
SIGNIFICANT = 3.0  # standard errors of noise's own energy
OTHER_NOISE = 2.0  # ratio of variances that images do not have by chance
SURE = 96  # pixels of a side; smaller images have to differ more
BOX = 7  # side of the square whose mean stands for an unseen pixel


class Detail(NamedTuple):
  """What a lower resolution cannot show of an image.

  Attributes:
    variance: mean square of it, without the noise; 0: not above the noise.
    share: the same as a share of all that varies in the image.
  """

  variance: float
  share: float


def noise_variance(image: Plane, *, white: float = np.inf) -> float:
  """The variance of the noise of an image, averaged over its levels.

  Args:
    image: the values; NaN where nothing is seen.
    white: lowest value of saturated pixels, which are left out.

  Raises:
    ValueError: no block of pixels is seen as a whole.
  """
  means, roughness = single_image.blocks(image, white=white)
  if not len(means):
    size = single_image.BLOCK
    raise ValueError(f"image: expected {size} x {size} pixels that are seen")
  levels = single_image.by_level(means, roughness)
  rough = [x.roughness for x in levels] or [roughness]
  tails = [np.quantile(x, single_image.TAIL) for x in rough]
  weights = [len(x) for x in rough]
  return float(
    np.average(tails, weights=weights) / single_image.even_roughness()
  )


def mean_variance(planes: list[Plane]) -> float:
  """`noise_variance`, averaged over images; NaN if too little is seen."""
  try:
    return float(np.mean([noise_variance(x) for x in planes]))
  except ValueError:
    return math.nan


def over_expected(
  variance: float, counts: np.ndarray, read_noise: np.ndarray
) -> float:
  """The variance of the noise of images over that of their camera; NaN if it is
  not known.

  Args:
    variance: that of the images.
    counts: electrons; NaN where nothing is seen.
    read_noise: standard deviation in electrons.
  """
  mean = np.nanmean(counts) if np.isfinite(counts).any() else np.nan
  expected = max(float(mean), 0.0) + float(np.mean(np.square(read_noise)))
  return variance / expected if expected > 0 else math.nan


def doubtful(ratio: float, num_pixels: int) -> bool:
  """Whether the noise of an image, over that of its camera, is not that of the
  camera. Small images, with few blocks at each level, show it less surely: in
  tests on photographs and cells, the limits were passed by chance by at most 5
  % of images of 48 pixels and more, and of up to 500 electrons.

  Args:
    ratio: of the variances; NaN: it is not known.
    num_pixels: pixels of a channel.
  """
  limit = OTHER_NOISE * max(1.0, SURE / np.sqrt(num_pixels))
  return bool(ratio > limit or ratio < 1 / limit)


def detail(image: Plane, factor: int, *, noise: float) -> Detail:
  """The detail of an image beyond the Nyquist frequency of a resolution that is
  lower by `factor`.

  Args:
    image: the values; NaN where nothing is seen.
    factor: pixels along a side of one of the lower resolution.
    noise: variance of the noise of the image.
  """
  power = np.asarray(fft.dctn(_filled(image), norm="ortho")) ** 2
  h, w = power.shape
  high = np.ones((h, w), bool)
  high[: -(-h // factor), : -(-w // factor)] = False
  excess = power[high].sum() - noise * high.sum()
  if excess <= SIGNIFICANT * noise * np.sqrt(2 * high.sum()):
    return Detail(0.0, 0.0)
  total = power.sum() - power[0, 0] - noise * (power.size - 1)
  share = min(1.0, excess / total) if total > 0 else 1.0
  return Detail(float(excess / power.size), float(share))


def _filled(image: Plane) -> Plane:
  """An image with the mean of the pixels around it in place of one that is not
  seen."""
  seen = np.isfinite(image)
  if seen.all():
    return image.astype(np.float64)
  known = np.where(seen, image, 0.0).astype(np.float64)
  weight = ndimage.uniform_filter(seen.astype(np.float64), BOX)
  around = ndimage.uniform_filter(known, BOX) / np.maximum(weight, 1e-9)
  around = np.where(weight > 1e-9, around, known.sum() / max(seen.sum(), 1))
  return np.where(seen, known, around)
