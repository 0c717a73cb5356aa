"""Similarity of enlarged images to the truth, as super-resolution papers
report it.

A border as wide as the factor is cropped, since what lies beyond it would be
needed to predict it. PSNR is that of RGB, and of the luma alone.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgen.metrics.images import Images, similarity
from jaxgen.typing import Array, Metrics

# ITU-R BT.601 for R, G, B in [0, 1]: luma in [16, 235] / 255.
_LUMA, _BLACK = (65.481 / 255, 128.553 / 255, 24.966 / 255), 16 / 255


def cropped(
  images: Images, border: int
) -> Float[Array | np.ndarray, "b inner_h inner_w c"]:
  """Images without a border of some pixels."""
  return images[:, border:-border, border:-border]


def luma(images: Float[Array, "b h w c"]) -> Float[Array, "b h w 1"]:
  """The luma of RGB images, all in [-1, 1]; of images with other channels,
  their mean."""
  if images.shape[-1] != 3:
    return jnp.mean(images, axis=-1, keepdims=True)
  y = (images + 1) / 2 @ jnp.asarray(_LUMA)[:, None] + _BLACK
  return 2 * y - 1


def enlarged_similarity(
  images: Images, references: Images, *, border: int
) -> Metrics:
  """The scores of `similarity` and `psnr_y`, each `(b,)`, of images `(b, h, w,
  c)` in [-1, 1] without their borders."""
  x, y = (
    jnp.clip(cropped(jnp.asarray(a), border), -1, 1)
    for a in (images, references)
  )
  luma_psnr = similarity(luma(x), luma(y))["psnr"]
  return {**similarity(x, y), "psnr_y": luma_psnr}
