"""Gaussian noise with the spectrum of what reconstructions lack.

It is the trivial way to give reconstructions the sharpness of real images: the
spectrum of the sum is right, and nothing else.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

Residuals = Float[np.ndarray, "n h w c"]


def gaussian_residuals(
  residuals: Residuals, num: int, *, seed: int = 0
) -> Float[np.ndarray, "m h w c"]:
  """`num` draws of stationary Gaussian noise with the second moments of
  `residuals`, of all channels together."""
  waves = np.fft.fft2(residuals, axes=(1, 2), norm="ortho")
  moments = np.einsum("nhwc,nhwd->hwcd", waves, waves.conj()) / len(waves)
  values, vectors = np.linalg.eigh(moments)
  root = vectors * np.sqrt(np.maximum(values, 0))[..., None, :]
  root = root @ vectors.conj().swapaxes(-1, -2)
  white = np.random.default_rng(seed).normal(size=(num, *residuals.shape[1:]))
  white = np.fft.fft2(white, axes=(1, 2), norm="ortho")
  colored = np.einsum("hwcd,nhwd->nhwc", root, white)
  return np.fft.ifft2(colored, axes=(1, 2), norm="ortho").real
