"""Interpolation between two latents, or two noise images, of any shape."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgen.typing import Array

Scalar = Float[Array, ""] | float


def lerp(
  a: Float[Array | np.ndarray, "*d"],
  b: Float[Array | np.ndarray, "*d"],
  t: Scalar,
) -> Float[Array | np.ndarray, "*d"]:
  """Linear interpolation from `a` (t = 0) to `b` (t = 1)."""
  return a + t * (b - a)


def slerp(
  a: Float[Array | np.ndarray, " *d"],
  b: Float[Array | np.ndarray, " *d"],
  t: Scalar,
  *,
  center: Float[Array | np.ndarray, " *d"] | float = 0.0,
) -> Float[Array, " *d"]:
  """Spherical interpolation from `a` to `b` around `center`, with linear
  interpolation of the radius (Shoemake 1985; arXiv:1609.04468).

  Nearly parallel vectors are interpolated linearly.
  """
  u, v = a - center, b - center
  ru, rv = jnp.linalg.norm(u), jnp.linalg.norm(v)
  cosine = jnp.vdot(u, v) / jnp.maximum(ru * rv, 1e-20)
  angle = jnp.arccos(jnp.clip(cosine, -1.0, 1.0))
  near = jnp.sin(angle) < 1e-4
  sine = jnp.where(near, 1.0, jnp.sin(angle))
  wu, wv = jnp.sin((1 - t) * angle) / sine, jnp.sin(t * angle) / sine
  unit_u, unit_v = u / jnp.maximum(ru, 1e-20), v / jnp.maximum(rv, 1e-20)
  arc = (wu * unit_u + wv * unit_v) * lerp(ru, rv, t)
  return jnp.where(near, lerp(u, v, t), arc) + center
