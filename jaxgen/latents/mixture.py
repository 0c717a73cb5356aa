"""Gaussian mixtures fitted to latents, on the host in float64.

The matrices are small: with several threads BLAS spends most of its time
waiting for them, so that fits use one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64
from threadpoolctl import threadpool_limits

MAX_RANK = 512  # maximum number of modeled dimensions


class Mixture(NamedTuple):
  """A mixture of `k` Gaussians over `r` coordinates."""

  weights: Float64[np.ndarray, " k"]
  means: Float64[np.ndarray, "k r"]
  covariances: Float64[np.ndarray, "k r r"]


class Coordinates(NamedTuple):
  """Latents as `center + values @ basis`, with orthonormal rows in `basis`."""

  center: Float64[np.ndarray, " d"]
  basis: Float64[np.ndarray, "r d"]
  values: Float64[np.ndarray, "n r"]


def principal_coordinates(
  latents: Float64[np.ndarray, "n d"],
) -> Coordinates:
  """The leading principal coordinates of latents with more than `MAX_RANK`
  dimensions; others are unchanged."""
  d = latents.shape[1]
  if d <= MAX_RANK:
    return Coordinates(np.zeros(d), np.eye(d), latents)
  center = latents.mean(0)
  offset = latents - center
  wide = len(latents) <= d
  values, vectors = np.linalg.eigh(
    offset @ offset.T if wide else offset.T @ offset
  )
  order = np.argsort(values)[::-1][: min(MAX_RANK, len(latents) - 1)]
  kept = order[: max(1, int((values[order] > 1e-12 * values.max()).sum()))]
  length = np.sqrt(np.maximum(values[kept], 1e-300))
  basis = vectors[:, kept].T
  if wide:
    basis = (basis @ offset) / length[:, None]
  return Coordinates(center, basis, offset @ basis.T)


def fit_gaussian(latents: Float64[np.ndarray, "n d"]) -> Mixture:
  """A single full-covariance Gaussian with the shrinkage of Ledoit and Wolf
  (2004), so that few latents suffice."""
  from sklearn.covariance import ledoit_wolf  # lazy: the import takes seconds

  with threadpool_limits(1):
    covariance = ledoit_wolf(latents)[0]
  return Mixture(np.ones(1), latents.mean(0, keepdims=True), covariance[None])


def fit_mixture(
  latents: Float64[np.ndarray, "n d"], *, components: int, seed: int
) -> Mixture:
  """A mixture fitted by EM to standardized latents, with a minimum variance.

  The number of components is reduced to have at least 20 latents for each.
  """
  from sklearn.mixture import GaussianMixture

  k = max(1, min(components, len(latents) // 20))
  mean, scale = latents.mean(0), latents.std(0) + 1e-12
  model = GaussianMixture(k, reg_covar=1e-2, random_state=seed)
  with threadpool_limits(1):
    model.fit((latents - mean) / scale)
  covariances = np.asarray(model.covariances_) * np.outer(scale, scale)
  weights, means = np.asarray(model.weights_), np.asarray(model.means_)
  return Mixture(weights, means * scale + mean, covariances)


def factor(covariance: Float64[np.ndarray, "r r"]) -> np.ndarray:
  """The lower triangular factor L, covariance = L L', of a covariance that may
  be singular."""
  with threadpool_limits(1):
    values, vectors = np.linalg.eigh(covariance)
  root = vectors * np.sqrt(np.maximum(values, 0.0))
  upper: Any = np.linalg.qr(root.T, mode="r")
  return upper.T
