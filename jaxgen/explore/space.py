"""The latents of training tiles as a space to walk in: principal components,
neighbors, and how usual a point is."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float
from sklearn.decomposition import PCA

COMPONENTS, MODELED = 12, 64  # with a slider, and in the density
Vector = Float[np.ndarray, " d"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LatentSpace:
  """Flat latents of training tiles and their principal components.

  Attributes:
    bank: the latents.
    pca: their probabilistic principal components (Tipping and Bishop 1999):
      beside them the variance is that of the noise, `noise_variance_`.
    scores: scores of the latents, ascending.
  """

  bank: Float[np.ndarray, "n d"]
  pca: Any
  scores: Float[np.ndarray, " n"]

  @property
  def mean(self) -> Vector:
    """The mean latent."""
    return self.pca.mean_

  @property
  def components(self) -> Float[np.ndarray, "k d"]:
    """The directions of the sliders, orthonormal, largest variance first."""
    return self.pca.components_[:COMPONENTS]

  @property
  def deviations(self) -> Float[np.ndarray, " k"]:
    """The standard deviations along them."""
    return np.sqrt(self.pca.explained_variance_[:COMPONENTS])

  @property
  def shares(self) -> Float[np.ndarray, " k"]:
    """Their shares of the variance."""
    return self.pca.explained_variance_ratio_[:COMPONENTS]

  def coordinates(self, latents: Float[np.ndarray, "*n d"]) -> np.ndarray:
    """Latents along the components, in standard deviations, `(*n, k)`."""
    return (latents - self.mean) @ self.components.T / self.deviations

  def moved(
    self, latent: Vector, coordinates: Float[np.ndarray, " k"]
  ) -> Vector:
    """A latent with other coordinates, unchanged beside the components."""
    change = coordinates - self.coordinates(latent)
    return latent + (change * self.deviations) @ self.components

  def usual(self, latent: Vector) -> float:
    """The share of training latents that are less likely, 0 to 1, under the
    Gaussian of the components."""
    score = scores(self.pca, latent[None])[0]
    return float(np.searchsorted(self.scores, score) / len(self.scores))

  def nearest(self, latent: Vector, num: int) -> Float[np.ndarray, "num d"]:
    """The nearest training latents."""
    distances = np.linalg.norm(self.bank - latent, axis=1)
    return self.bank[np.argsort(distances)[:num]]


def fit(latents: Float[np.ndarray, "n *s"]) -> LatentSpace:
  """The space of the latents of two training tiles or more."""
  bank = latents.reshape(len(latents), -1).astype(np.float64)
  most = min(len(bank) - 1, bank.shape[1] - 1, MODELED)
  pca = PCA(max(most, 1), svd_solver="auto", random_state=0).fit(bank)
  return LatentSpace(bank=bank, pca=pca, scores=np.sort(scores(pca, bank)))


def scores(
  pca: Any, latents: Float[np.ndarray, "n d"]
) -> Float[np.ndarray, " n"]:
  """Log-densities of latents up to a constant; those of scikit-learn's
  `score_samples`, which inverts a matrix at each call."""
  centered = latents - pca.mean_
  along = centered @ pca.components_.T
  beside = (centered**2).sum(1) - (along**2).sum(1)
  noise = max(float(pca.noise_variance_), 1e-12)
  return -((along**2 / pca.explained_variance_).sum(1) + beside / noise) / 2


def directions(
  latents: Float[np.ndarray, "n d"], values: np.ndarray, names: tuple[str, ...]
) -> dict[str, Vector]:
  """By value of an attribute, the mean latent of images that have it minus that
  of the others; values that none or all have are left out.

  Args:
    latents: latents of the images.
    values: integers `(n,)`: indices of `names`.
    names: names of the values.
  """
  found = {}
  for index, name in enumerate(names):
    has = values == index
    if has.any() and not has.all():
      found[name] = latents[has].mean(0) - latents[~has].mean(0)
  return found
