"""Distances between images and their reconstructions, one per image.

Images are in [-1, 1].
"""

from __future__ import annotations

import dm_pix
import jax.numpy as jnp
from jaxtyping import Float

from jaxgen.typing import Array, Images

Distances = Float[Array, " b"]


def mse(x: Images, y: Images) -> Distances:
  """The mean squared error."""
  return jnp.mean((x - y) ** 2, axis=(1, 2, 3))


def l1(x: Images, y: Images) -> Distances:
  """The mean absolute error."""
  return jnp.mean(jnp.abs(x - y), axis=(1, 2, 3))


def charbonnier(x: Images, y: Images, eps: float = 1e-3) -> Distances:
  """The mean of `sqrt((x - y)^2 + eps^2) - eps`, an L1 that is smooth at 0
  (Charbonnier et al. 1994)."""
  return jnp.mean(jnp.sqrt((x - y) ** 2 + eps**2), axis=(1, 2, 3)) - eps


def log_mse(x: Images, y: Images, floor: float = 1e-5) -> Distances:
  """The logarithm of the mean squared error, `ln(mse + floor)`.

  Times -10 / ln 10, plus a constant, its mean over images is the mean PSNR, so
  that easy and hard images are weighted as in PSNR: reducing the error by 10%
  gains the same at 20 dB and at 40 dB. The floor (56 dB on [-1, 1]) bounds the
  gradient.
  """
  return jnp.log(mse(x, y) + floor)


def ssim(x: Images, y: Images) -> Distances:
  """`1 - SSIM` (Wang et al. 2004; window of 11 pixels) of images on [0, 1],
  unclipped so that values out of range have a gradient."""
  return 1 - jnp.asarray(dm_pix.ssim((x + 1) / 2, (y + 1) / 2))


RECONSTRUCTION = {
  "mse": mse,
  "l1": l1,
  "charbonnier": charbonnier,
  "log_mse": log_mse,
  "ssim": ssim,
}
