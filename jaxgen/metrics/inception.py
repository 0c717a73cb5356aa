"""Inception v3 for FID, from a weight file that the user provides.

The network of the original FID code (2015-12-05), available as a PyTorch file
with the names used here (`pt_inception-2015-12-05`): average pooling excludes
the padding, and the last block uses max pooling. FID is defined by its features
(Heusel et al. 2017).
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgen.errors import UserError
from jaxgen.formats.torch_files import read_torch
from jaxgen.typing import Array

SIDE = 299  # pixels; all images are resampled to it
Weights = dict[str, np.ndarray]

# Branches of the blocks, concatenated along channels. avg and max: pooling with
# stride 1; a trailing / means stride 2; a|b: two halves of a branch's output.
DOUBLE = "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3"
A = ("branch1x1", "branch5x5_1 branch5x5_2", DOUBLE, "avg branch_pool")
B = ("branch3x3/", f"{DOUBLE}/", "max/")
C = (
  "branch1x1",
  "branch7x7_1 branch7x7_2 branch7x7_3",
  " ".join(f"branch7x7dbl_{i}" for i in range(1, 6)),
  "avg branch_pool",
)
D = (
  "branch3x3_1 branch3x3_2/",
  "branch7x7x3_1 branch7x7x3_2 branch7x7x3_3 branch7x7x3_4/",
  "max/",
)
E = (
  "branch1x1",
  "branch3x3_1 branch3x3_2a|branch3x3_2b",
  "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3a|branch3x3dbl_3b",
)
BLOCKS = {
  "Mixed_5b": A,
  "Mixed_5c": A,
  "Mixed_5d": A,
  "Mixed_6a": B,
  "Mixed_6b": C,
  "Mixed_6c": C,
  "Mixed_6d": C,
  "Mixed_6e": C,
  "Mixed_7a": D,
  "Mixed_7b": (*E, "avg branch_pool"),
  "Mixed_7c": (*E, "max branch_pool"),
}


def inception(path: str | pathlib.Path) -> Callable[[Array], Array]:
  """A function from images float32 `(b, h, w, 3)` in [-1, 1] to features `(b,
  2048)`.

  Args:
    path: path of the weights, `.pth` or `.pt` (a zip archive, as written by
      PyTorch since 1.6).

  Raises:
    UserError: the file cannot be read, or is for another network.
  """
  weights = {k: np.asarray(v) for k, v in dict(read_torch(path)).items()}
  shapes = jax.ShapeDtypeStruct((1, SIDE, SIDE, 3), "float32")
  try:
    out = jax.eval_shape(lambda x: features(weights, x), shapes)
    fits = out.shape == (1, 2048)
  except (KeyError, TypeError, ValueError) as e:
    raise UserError(
      f"{path}: expected the weights of Inception v3 for FID ({e})."
    ) from e
  if not fits:
    raise UserError(f"{path}: expected 2048 features, got {out.shape[1]}.")
  return lambda images: features(weights, images)


def features(
  weights: Weights, images: Float[Array | np.ndarray, "b h w 3"]
) -> Float[Array, "b features"]:
  """The output of the last block, averaged over the image."""
  b = len(images)
  x = jax.image.resize(images, (b, SIDE, SIDE, 3), "bilinear", antialias=False)
  x = _conv(weights, "Conv2d_1a_3x3/", x, padding=0)
  x = _conv(weights, "Conv2d_2a_3x3", x, padding=0)
  x = _conv(weights, "Conv2d_2b_3x3", x)
  x = _conv(weights, "Conv2d_3b_1x1", _maximum(x, 2, 0))
  x = _conv(weights, "Conv2d_4a_3x3", x, padding=0)
  x = _maximum(x, 2, 0)
  for name, branches in BLOCKS.items():
    ends = [_branch(weights, name, branch, x) for branch in branches]
    x = jnp.concatenate(ends, axis=-1)
  return jnp.mean(x, axis=(1, 2))


def _branch(weights: Weights, block: str, branch: str, x: Array) -> Array:
  for layer in branch.split():
    if layer == "avg":
      x = _average(x)
    elif layer.startswith("max"):
      x = _maximum(x, 2, 0) if layer == "max/" else _maximum(x, 1, 1)
    else:
      halves = [_conv(weights, f"{block}.{n}", x) for n in layer.split("|")]
      x = jnp.concatenate(halves, axis=-1)
  return x


def _conv(
  weights: Weights, name: str, x: Array, padding: int | None = None
) -> Array:
  """Convolution, batch norm with running moments, ReLU; padded by default to
  keep the size at stride 1, not padded at stride 2."""
  strided, name = name.endswith("/"), name.removesuffix("/")
  kernel = weights[f"{name}.conv.weight"].transpose(2, 3, 1, 0)
  stride, edge = (2, 0) if strided else (1, padding)
  pads = [((k - 1) // 2,) * 2 if edge is None else (0, 0) for k in kernel.shape]
  y = jax.lax.conv_general_dilated(
    x,
    jnp.asarray(kernel),
    (stride, stride),
    pads[:2],
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
  )
  gain, offset, mean, variance = (
    weights[f"{name}.bn.{k}"]
    for k in ("weight", "bias", "running_mean", "running_var")
  )
  scale = gain / np.sqrt(variance + 1e-3)
  shift = (offset - mean * scale)[None, None, None]
  return jax.nn.relu(y * scale[None, None, None] + shift)


def _maximum(x: Array, stride: int, border: int) -> Array:
  return _pool(x, jax.lax.max, start=-jnp.inf, stride=stride, border=border)


def _average(x: Array) -> Array:
  """The mean of 3 x 3 pixels, excluding the padding."""
  ones = jnp.ones_like(x[:1, :, :, :1])
  add = functools.partial(_pool, add=jax.lax.add, start=0.0, stride=1, border=1)
  total, count = add(x), add(ones)
  return total / count


def _pool(
  x: Array, add: Callable, *, start: float, stride: int, border: int
) -> Array:
  edge = (border, border)
  return jax.lax.reduce_window(
    x,
    start,
    add,
    (1, 3, 3, 1),
    (1, stride, stride, 1),
    ((0, 0), edge, edge, (0, 0)),
  )
