"""Laws of metrics of images and of distributions."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from jaxgen.laws.law import Law
from jaxgen.metrics.distribution import frechet, kid
from jaxgen.metrics.images import similarity
from jaxgen.typing import Array


def _psnr() -> float:
  """PSNR of a difference of 0.1 on [0, 1]: 20 dB."""
  x = jnp.full((1, 16, 16, 1), -0.4)
  return float(similarity(x, x + 0.2)["psnr"][0])


def _ssim_difference() -> float:
  """SSIM minus that of scikit-image, on one pair of images."""
  from skimage.metrics import structural_similarity

  x = np.random.default_rng(0).uniform(0, 1, (32, 32)).astype(np.float32)
  y = np.clip(x + 0.1, 0, 1)
  theirs = structural_similarity(
    x,
    y,
    gaussian_weights=True,
    sigma=1.5,
    data_range=1.0,
    use_sample_covariance=False,
  )
  ours = similarity(_as_image(x), _as_image(y))["ssim"][0]
  return float(ours) - float(np.asarray(theirs))


def _as_image(x: np.ndarray) -> Array:
  return 2 * jnp.asarray(x)[None, ..., None] - 1


def _frechet() -> float:
  """Distance of N(0, 1) and N(3, 4), each on two axes: 2 (3^2 + (2 - 1)^2)."""
  x = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]) * np.sqrt(3 / 4)
  return frechet(x, 3 + 2 * x)


def _kid() -> float:
  """KID of {0, 1} and {2, -1}: 1 - 1 - (1 + 1 + 27 + 0) / 2."""
  return kid(np.array([[0.0], [1.0]]), np.array([[2.0], [-1.0]]))


LAWS = (
  Law(
    name="Frechet distance of two Gaussians",
    source="closed form",
    expected=20,
    tolerance=1e-6,
    measure=_frechet,
  ),
  Law(
    name="KID of four points",
    source="definition",
    expected=-14.5,
    tolerance=1e-9,
    measure=_kid,
  ),
  Law(
    name="PSNR of a difference of 0.1",
    source="definition, dB",
    expected=20,
    tolerance=1e-3,
    measure=_psnr,
  ),
  Law(
    name="SSIM - SSIM of scikit-image",
    source="Wang et al. 2004",
    expected=0,
    tolerance=1e-4,
    measure=_ssim_difference,
  ),
)
