"""Power-function EMA profiles, and the combination of several into another.

The profile of an EMA at time t is (gamma + 1) tau^gamma / t^(gamma + 1) on
[0, t]; sigma_rel is its standard deviation divided by t (Karras et al. 2024,
arXiv:2312.02696, section 3 and appendix C).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np


@functools.cache
def gamma(sigma_rel: float) -> float:
  """The exponent of a profile: the largest root of gamma^3 + 7 gamma^2 +
  (16 - sigma_rel^-2) gamma + 12 - sigma_rel^-2 (their eq. 126)."""
  inverse = sigma_rel**-2
  return float(np.roots([1, 7, 16 - inverse, 12 - inverse]).real.max())


def decay(sigma_rel: float, batch: Any, images: Any) -> Any:
  """The decay of an EMA in one step: (1 - batch / images)^(gamma + 1), with
  `images` seen after the step (their eq. 127)."""
  return (1 - batch / images) ** (gamma(sigma_rel) + 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Profile:
  """The profile of an EMA that ends after `images` images."""

  sigma_rel: float
  images: int


def inner_products(
  profiles: Sequence[Profile], others: Sequence[Profile]
) -> np.ndarray:
  """The integrals `(n, m)` of the product of each of `profiles` with each of
  `others` (their eq. 138)."""
  a, b = (np.array([gamma(x.sigma_rel) for x in y]) for y in (profiles, others))
  s, t = (np.array([float(x.images) for x in y]) for y in (profiles, others))
  a, s = a[:, None], s[:, None]
  near, far = np.minimum(s, t), np.maximum(s, t)
  ratio = (near / far) ** np.where(t >= s, b, a)
  return (a + 1) * (b + 1) / (a + b + 1) * ratio / far


def combine(
  profiles: Sequence[Profile], target: Profile
) -> tuple[np.ndarray, float]:
  """Weights of profiles whose weighted sum is closest to a target, by least
  squares.

  Returns:
    The weights `(n,)`, and the distance from the target relative to its norm.
  """
  gram = inner_products(profiles, profiles)
  right = inner_products(profiles, [target])[:, 0]
  weights = np.linalg.lstsq(gram, right, rcond=1e-12)[0]
  norm = inner_products([target], [target]).item()
  residual = norm - 2 * weights @ right + weights @ gram @ weights
  return weights, float(np.sqrt(max(residual, 0.0) / norm))
