"""Energy distance of distributions, from means over their samples.

    E(P, Q) = 2 E|x - y| - E|x - x'| - E|y - y'|

is 0 only if P = Q (Szekely and Rizzo 2013). In one dimension it is twice the
integral of (F - G)^2 over the distribution functions F and G. In d dimensions
|v| is c_d times the mean of |v . u| over directions u, so that it is c_d times
the mean over directions. Distribution functions are means over images: the
distance does not depend on how images are split into batches.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgen.typing import Array

DIRECTIONS, CELLS = 64, 128
Functions = Float[np.ndarray, "k n"]


def directions(
  dimensions: int, num: int = DIRECTIONS
) -> Float[np.ndarray, "d k"]:
  """Fixed random unit vectors."""
  drawn = np.random.default_rng(0).normal(size=(dimensions, num))
  return (drawn / np.linalg.norm(drawn, axis=0)).astype(np.float32)


def distribution(
  x: Float[Array, "b d"], *, reach: float, num: int = DIRECTIONS
) -> Float[Array, "b k n"]:
  """What each point adds to the distribution functions along `directions`, at
  cells from -reach to reach: their means over cells if it is the only one."""
  places = x @ directions(x.shape[1], num)
  width = 2 * reach / CELLS
  ends = -reach + width * jnp.arange(1, CELLS + 1)
  inside = (ends[None, None] - places[..., None]) / width
  return jnp.clip(inside, 0.0, 1.0)


def energy_distance(
  f: Functions, g: Functions, *, dimensions: int, reach: float
) -> float:
  """The energy distance between two distributions, from the means of
  `distribution` over their points."""
  integrals = 2 * np.sum((f - g) ** 2, axis=1) * (2 * reach / CELLS)
  return norm_constant(dimensions) * float(np.mean(integrals))


def norm_constant(dimensions: int) -> float:
  """c_d: the norm of a vector over the mean length of its projections on random
  directions."""
  half = dimensions / 2
  ratio = math.exp(math.lgamma(half + 0.5) - math.lgamma(half))
  return math.sqrt(math.pi) * ratio
