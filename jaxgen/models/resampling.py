"""Weights for another patch size or another number of patches.

Every rule is a linear map of a weight. Let B be the matrix that enlarges one
axis of a patch (or of the grid of patches), by interpolation or repetition.
Kernels applied to a patch become those of least norm that give for B x what the
old ones gave for x: pinv(B)^T w (FlexiViT, arXiv:2212.08013, section 3.3).
Kernels that produce a patch are enlarged like an image: w B^T. So a network
encodes and decodes enlarged images as it did the small ones.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgen.images import enlarging, shrinking
from jaxgen.typing import Array

TransferRule = Callable[[Array], Array]  # from an old weight to the new one
TransferRules = dict[str, TransferRule]  # by the names of parameters
ResizeMatrix = Callable[[int, int], np.ndarray]  # (old, new) -> `(new, old)`


def repeat_matrix(old: int, new: int) -> Float[np.ndarray, "{new} {old}"]:
  """The matrix that repeats each of `old` samples; `new` is a multiple."""
  return np.repeat(np.eye(old, dtype=np.float32), new // old, axis=0)


def remaining_noise(old: int, new: int) -> float:
  """Standard deviation of white noise of unit variance after `resize` to fewer
  pixels: the root mean square of the rows' norms, 1 / f for a whole factor f.
  """
  return float(np.square(shrinking(old, new)).sum(1).mean())


def resize_input_kernel(
  w: Float[Array, "old_inputs d"],
  *,
  old: int,
  new: int,
  matrix: ResizeMatrix = enlarging,
) -> Float[Array, "new_inputs d"]:
  """A kernel `(old^2 c, d)` applied to squares of `old` x `old` numbers with c
  channels, resized to `(new^2 c, d)`."""
  b = np.linalg.pinv(matrix(old, new)).T
  x = w.reshape(old, old, -1)
  return jnp.einsum("ai,bj,ijx->abx", b, b, x).reshape(-1, w.shape[-1])


def resize_output_kernel(
  w: Float[Array, "*inputs old_outputs"],
  *,
  old: int,
  new: int,
  matrix: ResizeMatrix = enlarging,
) -> Float[Array, "*inputs new_outputs"]:
  """A kernel or bias `(..., old^2 c)` that produces squares, resized to
  `(..., new^2 c)`."""
  b = matrix(old, new)
  d = w.shape[-1] // old**2
  x = w.reshape(-1, old, old, d)
  y = jnp.einsum("ai,bj,xijd->xabd", b, b, x)
  return y.reshape(*w.shape[:-1], new**2 * d)


def resize_positions(
  w: Float[Array, "{old**2} d"],
  *,
  old: int,
  new: int,
  matrix: ResizeMatrix = enlarging,
) -> Float[Array, "{new**2} d"]:
  """Learned position embeddings of a grid of `old` x `old` patches, resized to
  `new` x `new`."""
  flat = resize_output_kernel(w.reshape(-1), old=old, new=new, matrix=matrix)
  return flat.reshape(-1, w.shape[-1])
