"""Distances between images and their reconstructions, one number per image.

Images are float32 `(b, h, w, c)` in [-1, 1]; results are `(b,)`.
"""

from __future__ import annotations

import dm_pix
import jax.numpy as jnp

from jaxgen.typing import Array


def mse(x: Array, y: Array) -> Array:
  """Mean squared error."""
  return jnp.mean((x - y) ** 2, axis=(1, 2, 3))


def l1(x: Array, y: Array) -> Array:
  """Mean absolute error."""
  return jnp.mean(jnp.abs(x - y), axis=(1, 2, 3))


def charbonnier(x: Array, y: Array, eps: float = 1e-3) -> Array:
  """Mean of `sqrt((x - y)^2 + eps^2) - eps`, an L1 that is smooth at 0
  (Charbonnier et al. 1994)."""
  return jnp.mean(jnp.sqrt((x - y) ** 2 + eps**2), axis=(1, 2, 3)) - eps


def log_mse(x: Array, y: Array, floor: float = 1e-5) -> Array:
  """Logarithm of the mean squared error, `ln(mse + floor)`.

  Its mean over images is the mean PSNR up to a factor of -10 / ln 10 and a
  constant, so it weighs easy images as PSNR does: a tenth less error counts the
  same at 20 dB and at 40 dB. The floor (56 dB on [-1, 1]) bounds the gradient.
  """
  return jnp.log(mse(x, y) + floor)


def ssim(x: Array, y: Array) -> Array:
  """`1 - SSIM` (Wang et al. 2004; window of 11 pixels), images on [0, 1], not
  clipped, so that what is out of range has a gradient."""
  return 1 - jnp.asarray(dm_pix.ssim((x + 1) / 2, (y + 1) / 2))


RECONSTRUCTION = {
  "mse": mse,
  "l1": l1,
  "charbonnier": charbonnier,
  "log_mse": log_mse,
  "ssim": ssim,
}
