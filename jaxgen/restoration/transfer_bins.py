"""Mean and variance of a sensor's values by level, from repeated exposures.

Pixels are binned by the mean of their neighbors *without the pixel itself*:
bins by the pixel's own mean would sort pixels by their noise (regression
dilution), and the gain would come out up to half too small.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

SIDE = 7  # of the window of neighbors, in pixels
BINS = 40  # half of them of equal width, half of equal count
LEAST = 50  # pixels in a bin that is used
CLIPPED = 0.01  # largest share of values at white or at the floor in a bin


class Bins(NamedTuple):
  """Statistics of pixels of one level, an array of each; DN.

  Attributes:
    level: mean value.
    variance: of the noise of one exposure.
    count: number of pixels.
    frames: number of exposures.
  """

  level: np.ndarray
  variance: np.ndarray
  count: np.ndarray
  frames: np.ndarray


class Scene(NamedTuple):
  """The pixels of repeated exposures of one scene that can be used.

  Attributes:
    means: `(n,)`, the mean of each pixel over the exposures.
    deviations: `(k, n)`, from that mean.
    labels: `(n,)`, the bin of each pixel.
    clipped: share of the pixels that are at white or at the floor.
  """

  means: np.ndarray
  deviations: np.ndarray
  labels: np.ndarray
  clipped: float


def scene(
  frames: np.ndarray, *, white: float = np.inf, floor: float = -np.inf
) -> Scene:
  """The pixels of exposures `(k, h, w)`, k >= 2.

  Bins in which values are clipped, at `white` and above or at `floor` and
  below, are left out as a whole: single pixels would be chosen by their noise.
  Pixels that are NaN, or at white in every exposure, are left out one by one.
  """
  if frames.ndim != 3 or len(frames) < 2:
    raise ValueError(
      f"expected two or more exposures (k, h, w), got {frames.shape}"
    )
  finite, full = np.isfinite(frames).all(0), (frames >= white).all(0)
  good = np.asarray(finite & ~full)
  means = np.where(good, frames, 0).mean(0, dtype=np.float64)
  around, known = leave_one_out_mean(means, good)
  used = good & known
  values = frames[:, used]
  labels = _labels(around[used])
  out = np.asarray(((values >= white) | (values <= floor)).any(0))
  share = _sums(labels, out) / np.maximum(_sums(labels), 1)
  kept = share[labels] <= CLIPPED
  means, values = means[used][kept], values[:, kept]
  return Scene(
    means=means,
    deviations=np.stack([(x - means).astype(np.float32) for x in values]),
    labels=labels[kept],
    clipped=float(out.mean()) if out.size else 0.0,
  )


def leave_one_out_mean(
  image: np.ndarray, good: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """The mean of each pixel's good neighbors without the pixel itself, and
  where it is known: where a quarter of the neighbors are good."""
  values = np.where(good, image, 0.0)
  total = _box_sum(values) - values
  count = np.round(_box_sum(good.astype(np.float64)) - good)
  return total / np.maximum(count, 1), count >= SIDE**2 // 4


def bins(pixels: Scene, limits: np.ndarray | None = None) -> Bins:
  """The statistics of each bin.

  A change of all pixels of a level from one exposure to the next, as of a lamp,
  is no noise: each exposure's mean deviation in a bin is taken out.

  Args:
    pixels: as `scene` returns them.
    limits: largest deviation by bin; pixels beyond it are left out.
  """
  means, deviations, labels = pixels[:3]
  frames = len(deviations)
  if limits is not None:
    most = limits[labels] * np.sqrt((frames - 1) / frames)
    kept = (np.abs(deviations) <= most).all(0)
    means, deviations = means[kept], deviations[:, kept]
    labels = labels[kept]
  count = _sums(labels)
  sizes = np.maximum(count, 1)
  squares = np.zeros(len(count))
  for row in deviations:
    common = _sums(labels, row) / sizes
    squares += _sums(labels, (row - common[labels]) ** 2)
  return Bins(
    level=_sums(labels, means) / sizes,
    variance=squares / (np.maximum(count - 1, 1) * (frames - 1)),
    count=count,
    frames=np.full(len(count), frames),
  )


def usable(found: Bins) -> Bins:
  """The bins with enough pixels."""
  kept = found.count >= LEAST
  return Bins(*(x[kept] for x in found))


def joined(parts: list[Bins]) -> Bins:
  """The bins of several scenes."""
  return Bins(*(np.concatenate(x) for x in zip(*parts, strict=True)))


def _box_sum(image: np.ndarray) -> np.ndarray:
  """Sums of windows; nothing lies outside the image."""
  return ndimage.uniform_filter(image, SIDE, mode="constant") * SIDE**2


def _labels(levels: np.ndarray) -> np.ndarray:
  """The bin of each level."""
  if not levels.size:
    return np.zeros(0, np.int64)
  shares = np.linspace(0, 1, BINS // 2 + 1)
  widths = levels.min() + shares * (levels.max() - levels.min())
  edges = np.unique(np.concatenate([np.quantile(levels, shares), widths]))
  return np.searchsorted(edges[1:-1], levels, side="right")


def _sums(labels: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
  """Sums by bin."""
  return np.bincount(labels, weights, minlength=BINS + 1)
