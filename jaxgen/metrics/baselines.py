"""Baselines for autoencoders: PCA of the same size, and the mean image."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

Images = Float[np.ndarray, "_ h w c"]
Reconstruct = Callable[[Images], Images]

SMALL = 4096  # the exact solver is used up to this many values per image


def max_components(images: Images, requested: int) -> int:
  """The requested number of PCA components, limited by the number of images and
  of pixels."""
  return min(requested, len(images) - 1, math.prod(images.shape[1:]))


def pca(images: Images, components: int) -> Reconstruct:
  """The linear autoencoder with the least squared error on `images`.

  Args:
    images: float32 `(n, h, w, c)`.
    components: dimensions of the latent space, at most
      `max_components(images, ...)`; the mean is added as a bias.

  Returns:
    A function from images `(m, h, w, c)` to their reconstructions. Components
    come from scikit-learn: exact for small images, else by a randomized solver.
  """
  from sklearn.decomposition import PCA  # lazy: the import takes seconds

  flat = images.reshape(len(images), -1)
  solver = "covariance_eigh" if flat.shape[1] <= SMALL else "randomized"
  model = PCA(components, svd_solver=solver, random_state=0)
  model.fit(flat)

  def reconstruct(x: np.ndarray) -> np.ndarray:
    z = model.transform(x.reshape(len(x), -1))
    return model.inverse_transform(z).reshape(x.shape).astype(np.float32)

  return reconstruct


def mean_image(images: Images) -> Reconstruct:
  """The autoencoder that maps every image to the mean of `images`."""
  mean = images.mean(0, dtype=np.float64).astype(np.float32)
  return lambda x: np.broadcast_to(mean, x.shape)
