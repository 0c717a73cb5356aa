"""Resampling of weights to another patch size or number of patches.

Every rule is a linear map of a weight. Let B be the matrix that enlarges one
axis of a patch (or of the grid of patches), by interpolation or repetition.
Kernels applied to a patch become the minimum-norm ones that map B x to the
output of the old ones for x: pinv(B)^T w (FlexiViT, arXiv:2212.08013, section
3.3). Kernels that produce a patch are enlarged like an image: w B^T. So a
network encodes and decodes enlarged images as it did the small ones.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgen.images import downsample_matrix, upsample_matrix
from jaxgen.typing import Array

TransferRule = Callable[[Array], Array]  # from an old weight to the new one
TransferRules = dict[str, TransferRule]  # by parameter name
ResizeMatrix = Callable[[int, int], np.ndarray]  # (old, new) -> `(new, old)`


def repeat_matrix(old: int, new: int) -> Float[np.ndarray, "{new} {old}"]:
  """The matrix that repeats each of `old` samples; `new` is a multiple of
  `old`."""
  return np.repeat(np.eye(old, dtype=np.float32), new // old, axis=0)


def remaining_noise(old: int, new: int) -> float:
  """Standard deviation of unit white noise after `resize` to fewer pixels: 1 /
  f for an integer factor f.
  """
  return float(np.square(downsample_matrix(old, new)).sum(1).mean())


def noise_matrix(old: int, new: int) -> Float[np.ndarray, "{new} {old}"]:
  """The matrix from variances of independent noise to their averages with the
  squared weights of `resize` to fewer pixels: the new variances, up to
  `remaining_noise` squared."""
  squares = np.square(downsample_matrix(old, new))
  return squares / squares.sum(1, keepdims=True)


def resize_input_kernel(
  w: Float[Array, "old_inputs d"],
  *,
  old: int,
  new: int,
  matrix: ResizeMatrix = upsample_matrix,
) -> Float[Array, "new_inputs d"]:
  """A kernel `(old^2 c, d)` applied to `old` x `old` squares with c channels,
  resized to `(new^2 c, d)`."""
  b = np.linalg.pinv(matrix(old, new)).T
  x = w.reshape(old, old, -1)
  return jnp.einsum("ai,bj,ijx->abx", b, b, x).reshape(-1, w.shape[-1])


def resize_output_kernel(
  w: Float[Array, "*inputs old_outputs"],
  *,
  old: int,
  new: int,
  matrix: ResizeMatrix = upsample_matrix,
) -> Float[Array, "*inputs new_outputs"]:
  """A kernel or bias `(..., old^2 c)` that produces squares, resized to
  `(..., new^2 c)`."""
  b = matrix(old, new)
  d = w.shape[-1] // old**2
  x = w.reshape(-1, old, old, d)
  y = jnp.einsum("ai,bj,xijd->xabd", b, b, x)
  return y.reshape(*w.shape[:-1], new**2 * d)


def add_inputs(
  w: Float[Array, "*k inputs d"], *, num: int
) -> Float[Array, "*k more_inputs d"]:
  """A kernel with `num` more inputs at the end, which it ignores."""
  return jnp.pad(w, [(0, 0)] * (w.ndim - 2) + [(0, num), (0, 0)])


def add_patch_inputs(
  w: Float[Array, "inputs d"], *, patch: int, num: int
) -> Float[Array, "more_inputs d"]:
  """A kernel `(patch^2 c, d)` with `num` more channels, which it ignores."""
  x = w.reshape(patch**2, -1, w.shape[-1])
  return add_inputs(x, num=num).reshape(-1, w.shape[-1])


def resize_positions(
  w: Float[Array, "{old**2} d"],
  *,
  old: int,
  new: int,
  matrix: ResizeMatrix = upsample_matrix,
) -> Float[Array, "{new**2} d"]:
  """Learned position embeddings of a grid of `old` x `old` patches, resized to
  `new` x `new`."""
  flat = resize_output_kernel(w.reshape(-1), old=old, new=new, matrix=matrix)
  return flat.reshape(-1, w.shape[-1])
