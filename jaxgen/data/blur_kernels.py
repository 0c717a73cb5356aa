"""Kernels of blur and ringing, `SIDE` x `SIDE`, that sum to 1, and their
convolution with images.

With r = |S^-1/2 d| for a displacement d and the covariance S: Gaussian
exp(-r^2 / 2), generalized exp(-r^(2 b) / 2), plateau 1 / (1 + r^(2 b)), as in
Real-ESRGAN (Wang et al. 2021, arXiv:2107.10833, section 3.1); the sinc filter
of cutoff w is w J_1(w |d|) / (2 pi |d|) (eq. 6 there).
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from jaxtyping import Float

SIDE = 21
RADIUS = SIDE // 2
Kernel = Float[np.ndarray, "k k"]
Shape = Literal["gaussian", "generalized", "plateau"]
KINDS: tuple[tuple[float, Shape, bool], ...] = (  # probability, isotropic
  (0.45, "gaussian", True),
  (0.25, "gaussian", False),
  (0.12, "generalized", True),
  (0.03, "generalized", False),
  (0.12, "plateau", True),
  (0.03, "plateau", False),
)
SINC_PROB = 0.1  # instead of these
POWERS: dict[Shape, tuple[float, float]] = {  # the range of b
  "gaussian": (1.0, 1.0),
  "generalized": (0.5, 4.0),
  "plateau": (1.0, 2.0),
}
CUTOFFS = (math.pi / 3, math.pi)  # of sinc filters, in radians per pixel


def draw(rng: np.random.Generator, *, sigma: tuple[float, float]) -> Kernel:
  """A blur: mostly of the kinds above, with standard deviations in a range, at
  any angle; else a sinc filter."""
  if rng.random() < SINC_PROB:
    return draw_sinc(rng)
  weights = np.asarray([x[0] for x in KINDS])
  index = int(rng.choice(len(KINDS), p=weights / weights.sum()))
  _, shape, isotropic = KINDS[index]
  long, wide = rng.uniform(*sigma, size=2)
  return smooth(
    shape,
    long=float(long),
    wide=float(long if isotropic else wide),
    angle=float(rng.uniform(0, math.pi)),
    power=float(rng.uniform(*POWERS[shape])),
  )


def draw_sinc(rng: np.random.Generator) -> Kernel:
  """A sinc filter with a cutoff that is drawn."""
  return sinc(float(rng.uniform(*CUTOFFS)))


def smooth(
  shape: Shape, *, long: float, wide: float, angle: float, power: float = 1.0
) -> Kernel:
  """A blur with two standard deviations in pixels, the first at an angle from
  the horizontal, and the exponent b."""
  y, x = np.mgrid[-RADIUS : RADIUS + 1, -RADIUS : RADIUS + 1]
  along = x * math.cos(angle) + y * math.sin(angle)
  across = y * math.cos(angle) - x * math.sin(angle)
  r2 = ((along / long) ** 2 + (across / wide) ** 2) ** power
  kernel = 1 / (1 + r2) if shape == "plateau" else np.exp(-r2 / 2)
  return kernel / kernel.sum()


def sinc(cutoff: float) -> Kernel:
  """The ideal low-pass filter that is cut to the side of a kernel."""
  from scipy.special import j1  # lazy: the import takes 0.1 s

  y, x = np.mgrid[-RADIUS : RADIUS + 1, -RADIUS : RADIUS + 1]
  r = np.hypot(y, x)
  inside = np.where(r > 0, r, 1)
  values = cutoff * j1(cutoff * inside) / (2 * math.pi * inside)
  kernel = np.where(r > 0, values, cutoff**2 / (4 * math.pi))
  return kernel / kernel.sum()


def convolve(
  x: Float[np.ndarray, "h w c"], kernel: Kernel
) -> Float[np.ndarray, "h w c"]:
  """An image convolved with a kernel; beyond its borders it is mirrored."""
  from scipy import fft  # lazy, as above; in float32, unlike NumPy's

  height, width = x.shape[:2]
  edges = (RADIUS, RADIUS)
  padded = np.pad(x, (edges, edges, (0, 0)), mode="reflect")
  shape = [fft.next_fast_len(n, real=True) for n in padded.shape[:2]]
  spectrum = fft.rfft2(padded.astype(np.float32), shape, axes=(0, 1))
  response = fft.rfft2(kernel.astype(np.float32), shape)
  product = spectrum * np.asarray(response)[..., None]
  whole = np.asarray(fft.irfft2(product, shape, axes=(0, 1)))
  first = 2 * RADIUS  # half of the kernel, and the padding
  return whole[first : first + height, first : first + width]
