"""Distances between the feature distributions of two sets of images.

All take float `(n, d)` and `(m, d)`: the features of real and of generated
images.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from sklearn.metrics import pairwise_distances
from threadpoolctl import threadpool_limits

Features = Float[np.ndarray, "_ d"]
Distance = Callable[[Features, Features], float]


def frechet(real: Features, new: Features) -> float:
  """The Frechet distance between Gaussians with the moments of the sets,

      |m1 - m2|^2 + tr(S1 + S2 - 2 (S1^(1/2) S2 S1^(1/2))^(1/2))

  (Heusel et al. 2017, eq. 6; called FID for features of Inception). It is
  biased upwards, less so for more images: compare at equal n.
  """
  m1, m2 = (x.mean(0, dtype=np.float64) for x in (real, new))
  a = (real - m1) / np.sqrt(len(real) - 1)
  b = (new - m2) / np.sqrt(len(new) - 1)
  traces = (a**2).sum() + (b**2).sum()
  return float(((m1 - m2) ** 2).sum() + traces - 2 * _cross_trace(a, b))


def _cross_trace(a: Features, b: Features) -> float:
  """The trace of (S1^(1/2) S2 S1^(1/2))^(1/2) for S1 = a' a and S2 = b' b.

  It is the sum of the singular values of a b', which is the smaller matrix if
  there are fewer images than features.
  """
  if max(len(a), len(b)) <= a.shape[1]:
    return np.linalg.svd(a @ b.T, compute_uv=False).sum()
  values, vectors = np.linalg.eigh(a.T @ a)
  root = vectors * np.sqrt(np.maximum(values, 0))
  eigenvalues = np.linalg.eigvalsh(root.T @ (b.T @ b) @ root)
  return np.sqrt(np.maximum(eigenvalues, 0)).sum()


def kid(real: Features, new: Features) -> float:
  """The unbiased squared maximum mean discrepancy with kernel (x y / d + 1)^3:
  0 on average for equal distributions (Binkowski et al. 2018)."""
  n, m, d = len(real), len(new), real.shape[1]
  kernel = lambda x, y: (x @ y.T / d + 1) ** 3  # noqa: E731
  xx, yy = kernel(real, real), kernel(new, new)
  within_real = (xx.sum() - np.trace(xx)) / (n * (n - 1))
  within_new = (yy.sum() - np.trace(yy)) / (m * (m - 1))
  return float(within_real + within_new - 2 * kernel(real, new).mean())


def interval(
  distance: Distance,
  real: Features,
  new: Features,
  *,
  level: float = 0.95,
  resamples: int = 40,
  seed: int = 0,
) -> tuple[float, float]:
  """A bootstrap confidence interval of a distance, over both sets.

  Resampled sets contain duplicates, which shifts distances; therefore the
  interval is centered on the measured distance.
  """
  rng = np.random.default_rng(seed)
  draw = lambda x: x[rng.integers(len(x), size=len(x))]  # noqa: E731
  with threadpool_limits(1):  # small matrices: more threads are slower
    resampled = [distance(draw(real), draw(new)) for _ in range(resamples)]
  low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
  shift = distance(real, new) - float(np.mean(resampled))
  return float(low + shift), float(high + shift)


class Manifold(NamedTuple):
  """Fractions of one set that lie in balls around the members of the other.

  Attributes:
    precision: new images within balls of real ones.
    recall: real images within balls of new ones.
    density: as precision, counting every ball; 1 for equal distributions.
    coverage: real images with a new one in their ball.
  """

  precision: float
  recall: float
  density: float
  coverage: float


def manifold(real: Features, new: Features, *, neighbors: int = 5) -> Manifold:
  """Precision and recall (Kynkaanniemi et al. 2019), density and coverage
  (Naeem et al. 2020), with balls up to the k-th neighbor in the same set."""
  k = min(neighbors, len(real) - 1, len(new) - 1)
  between = pairwise_distances(real, new)
  radius_real, radius_new = (
    np.partition(pairwise_distances(x), k, axis=1)[:, k] for x in (real, new)
  )
  inside = between < radius_real[:, None]
  return Manifold(
    precision=float(inside.any(0).mean()),
    recall=float((between < radius_new[None]).any(1).mean()),
    density=float(inside.sum(0).mean() / k),
    coverage=float(inside.any(1).mean()),
  )


def diversity(features: Features) -> float:
  """The mean distance between two members of a set."""
  n = len(features)
  return float(pairwise_distances(features).sum() / (n * (n - 1)))
