"""Weights for another patch size or another number of patches.

Every rule is a linear map of a weight. Let B be the matrix that enlarges one
axis of a patch (or of the grid of patches), by interpolation or repetition.
Weights that read a patch become those of least norm that give for B x what they
gave for x: pinv(B)^T w (FlexiViT, arXiv:2212.08013, section 3.3). Weights that
paint one are enlarged like an image: w B^T. So a network reads and paints
enlarged images as it read and painted the small ones.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from jaxgen.images import enlarging, shrinking
from jaxgen.typing import Array

Rule = Callable[[Array], Array]  # a weight before to the weight after
Rules = dict[str, Rule]  # by the names of parameters
Enlarge = Callable[[int, int], np.ndarray]  # (old, new) -> `(new, old)`


def repeating(old: int, new: int) -> np.ndarray:
  """Each of `old` samples repeated, `(new, old)`; `new` is a multiple."""
  return np.repeat(np.eye(old, dtype=np.float32), new // old, axis=0)


def remaining_noise(old: int, new: int) -> float:
  """What `resize` to fewer pixels leaves of the standard deviation of white
  noise: the root mean square of the rows' norms, 1 / f for a whole factor f."""
  return float(np.square(shrinking(old, new)).sum(1).mean())


def resize_input_kernel(
  w: Array, old: int, new: int, by: Enlarge = enlarging
) -> Array:
  """`(old^2 c, d)`, which reads squares of `old` numbers a side and c channels,
  to `(new^2 c, d)`."""
  b = np.linalg.pinv(by(old, new)).T
  x = w.reshape(old, old, -1)
  return jnp.einsum("ai,bj,ijx->abx", b, b, x).reshape(-1, w.shape[-1])


def resize_output_kernel(
  w: Array, old: int, new: int, by: Enlarge = enlarging
) -> Array:
  """`(..., old^2 c)`, which paints squares, to `(..., new^2 c)`."""
  b = by(old, new)
  d = w.shape[-1] // old**2
  x = w.reshape(-1, old, old, d)
  y = jnp.einsum("ai,bj,xijd->xabd", b, b, x)
  return y.reshape(*w.shape[:-1], new**2 * d)


def positions(w: Array, old: int, new: int, by: Enlarge = enlarging) -> Array:
  """What is learnt for each patch of a grid, `(old^2, d)` to `(new^2, d)`."""
  return resize_output_kernel(w.reshape(-1), old, new, by).reshape(
    -1, w.shape[-1]
  )
