"""Between stored pixel types and float32 in [-1, 1]."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from jaxgen.models.resampling import resize
from jaxgen.typing import Array

_HALF_RANGE = {"uint8": 127.5, "uint16": 32767.5}


def normalize(images: Array | np.ndarray) -> Array:
  """uint8, uint16 or float32 images to float32 in [-1, 1]."""
  half = _HALF_RANGE.get(str(images.dtype))
  x = jnp.asarray(images, jnp.float32)
  return x if half is None else x / half - 1.0


def soften(images: Array, side: int, share: Array) -> Array:
  """Images `(b, h, h, c)`, normalised, with a share from 0 to 1 of the detail
  that `side` x `side` pixels do not hold (Karras et al. 2017, section 2: real
  images are faded like the network)."""
  x = normalize(images)
  coarse = resize(resize(x, side), x.shape[1])
  return (1 - share) * coarse + share * x


def to_uint8(images: Array | np.ndarray) -> Array:
  """Float images in [-1, 1], clipped and rounded, to uint8 in [0, 255]."""
  return jnp.round((jnp.clip(images, -1.0, 1.0) + 1.0) * 127.5).astype(np.uint8)


def as_uint8(images: np.ndarray) -> np.ndarray:
  """Images of any stored type as uint8, for pictures."""
  if images.dtype == np.uint8:
    return images
  return np.asarray(to_uint8(normalize(images)))
