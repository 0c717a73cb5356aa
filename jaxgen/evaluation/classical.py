"""Restoration of counts without a network, for comparison.

The generalized Anscombe transform makes the noise of counts even, of standard
deviation 1; a denoiser for even noise follows, and the exact unbiased inverse
(Makitalo and Foi 2013, "Optimal inversion of the generalized Anscombe
transformation for Poisson-Gaussian noise").
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

Image = Float[np.ndarray, "h w c"]
Denoise = Callable[[Image], Image]  # of noise of standard deviation 1
SHIFT = 3 / 8
MOST = 200.0  # electrons, beyond which the inverse is its own expansion
DEVIATIONS = 9  # half the window of counts that are summed
NODES = 24  # of the quadrature over the read noise
TV_STEPS = 12  # bisections of the weight
TV_RANGE = 1e-2, 1e2  # of the weight


def anscombe(
  counts: Float[np.ndarray, "*m"], read_noise: float
) -> Float[np.ndarray, "*m"]:
  """Counts in electrons with noise of standard deviation 1, nearly."""
  return 2 * np.sqrt(np.maximum(counts + SHIFT + read_noise**2, 0.0))


def inverse_anscombe(
  values: Float[np.ndarray, "*m"], read_noise: float
) -> Float[np.ndarray, "*m"]:
  """The rates whose transformed counts have these means."""
  rates, means = _means(float(read_noise))
  table = np.interp(values, means, rates)
  far = values**2 / 4 - 1 / 8 - read_noise**2
  return np.where(values > means[-1], np.maximum(far, rates[-1]), table)


@functools.cache
def _means(read_noise: float) -> tuple[np.ndarray, np.ndarray]:
  """Rates, and the means of their transformed counts."""
  rates = np.linspace(0, (MOST + 10 * read_noise**2) ** 0.5, 400) ** 2
  nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
  return rates, np.array(
    [
      _mean(rate, read_noise * nodes, weights / weights.sum(), read_noise)
      for rate in rates
    ]
  )


def _mean(
  rate: float, noise: np.ndarray, weights: np.ndarray, read_noise: float
) -> float:
  from scipy.stats import poisson

  reach = DEVIATIONS * rate**0.5 + DEVIATIONS
  k = np.arange(max(0, int(rate - reach)), int(rate + reach) + 1)
  values = anscombe(k[:, None] + noise, read_noise)
  return float(poisson.pmf(k, rate) @ values @ weights)


def restored(
  counts: Image, denoise: Denoise, *, read_noise: float
) -> Float[np.ndarray, "h w c"]:
  """The rates of an image, in electrons."""
  even = anscombe(np.asarray(counts, np.float64), read_noise)
  return inverse_anscombe(denoise(even), read_noise)


def has_bm3d() -> bool:
  """Whether the package is installed."""
  return importlib.util.find_spec("bm3d") is not None


def bm3d(image: Image) -> Image:
  """Block matching in three dimensions (Dabov et al. 2007; Makinen et al.
  2020), by the package of its authors; all channels are matched as one."""
  from bm3d import BM3DProfile  # pyright: ignore[reportMissingImports]
  from bm3d import bm3d as run  # pyright: ignore[reportMissingImports]

  profile = BM3DProfile()
  profile.num_threads = 1  # else the result depends on their order
  profile.nf = 16  # of variances; four times as fast as by 32, equal to .02 dB
  low, span = image.min(), max(float(np.ptp(image)), 1e-6)
  found = run((image - low) / span, 1 / span, profile=profile)
  return low + span * np.asarray(found).reshape(image.shape)


def non_local_means(image: Image) -> Image:
  """Non-local means (Buades et al. 2005)."""
  from skimage.restoration import denoise_nl_means

  found = denoise_nl_means(
    image, patch_size=5, patch_distance=9, h=0.8, sigma=1.0, channel_axis=-1
  )
  return found.reshape(image.shape)


def total_variation(image: Image) -> Image:
  """The least total variation at a residual of the noise's variance (Chambolle
  2004), by bisection of the weight."""
  from skimage.restoration import denoise_tv_chambolle

  low, high = np.log(TV_RANGE)
  for _ in range(TV_STEPS):
    weight = np.exp((low + high) / 2)
    found = denoise_tv_chambolle(image, weight=weight, channel_axis=-1)
    if np.mean((found - image) ** 2) > 1:
      high = np.log(weight)
    else:
      low = np.log(weight)
  return denoise_tv_chambolle(image, weight=np.exp(low), channel_axis=-1)
