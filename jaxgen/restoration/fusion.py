"""Fusion of observations of an image: a noisy image and measured values.

Two observations with independent Gaussian noise are one, pixel by pixel,

    s'^2 = 1 / (1 / sigma^2 + p),    x' = s'^2 (x / sigma^2 + p u),

where u are values with the precision p (the inverse of their variance). So the
mean of clean images given both is the answer of one call of a denoiser, for any
images, if the denoiser takes the noise level of each pixel.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Float

from jaxgen.diffusion.edm import per_image
from jaxgen.typing import Array, Images, Sigmas

NO_INFORMATION = 1e3  # highest noise level, of pixels that nothing observes

PerImage = Float[Array, "#b 1 1 1"]  # or one number for all


def fuse(
  x: Images, sigma: Sigmas, *, values: Images, precision: Images | PerImage
) -> tuple[Images, Images]:
  """The fused image x' and its noise map s'.

  Args:
    x: noisy images.
    sigma: their noise level; infinite: they say nothing.
    values: u; finite also where the precision is 0.
    precision: p.
  """
  own = 1 / per_image(sigma) ** 2
  total = jnp.maximum(own + precision, NO_INFORMATION**-2)
  fused = (own * x + precision * values) / total
  return fused, jnp.broadcast_to(1 / jnp.sqrt(total), x.shape)
