"""Image similarity, one value per image, in the usual units.

Images are float32 `(b, h, w, c)`, clipped to [-1, 1] and compared on [0, 1], as
in most papers. SSIM is that of dm-pix, which agrees with scikit-image (11-pixel
Gaussian window, sigma 1.5).
"""

from __future__ import annotations

import dm_pix
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgen.parallel.precision import measured
from jaxgen.typing import Array, Metrics

SSIM_WINDOW = 11
Images = Float[Array | np.ndarray, "b h w c"]


def unit(images: Images) -> Float[Array, "b h w c"]:
  """Images clipped to [-1, 1] and mapped to [0, 1]."""
  return (jnp.clip(images, -1.0, 1.0) + 1.0) / 2.0


@measured
def similarity(images: Images, references: Images) -> Metrics:
  """PSNR (dB), SSIM, MSE and L1, each `(b,)`.

  Images smaller than the window of SSIM have no SSIM. PSNR is capped at 100 dB,
  so that means stay finite if an image is exact.
  """
  x, y = unit(images), unit(references)
  mse = jnp.mean((x - y) ** 2, axis=(1, 2, 3))
  scores = {
    "psnr": -10.0 * jnp.log10(jnp.maximum(mse, 1e-10)),
    "mse": mse,
    "l1": jnp.mean(jnp.abs(x - y), axis=(1, 2, 3)),
  }
  if min(x.shape[1:3]) >= SSIM_WINDOW:
    scores["ssim"] = jnp.asarray(dm_pix.ssim(x, y))
  return scores
