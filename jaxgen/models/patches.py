"""Images to patches, which are the tokens of transformers, and back."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgen.typing import Array

Tokens = Float[Array, "b n d"]


def patchify(images: Float[Array, "b h w c"], patch_size: int) -> Tokens:
  """Patches in row order, `(b, h/p * w/p, p * p * c)`."""
  b, h, w, c = images.shape
  p = patch_size
  x = images.reshape(b, h // p, p, w // p, p, c)
  return x.swapaxes(2, 3).reshape(b, -1, p * p * c)


def unpatchify(
  patches: Tokens, patch_size: int, *, grid: tuple[int, int]
) -> Float[Array, "b h w c"]:
  """The inverse of `patchify` for a `grid` of (rows, columns) patches."""
  b, rows, cols = patches.shape[0], *grid
  x = patches.reshape(b, rows, cols, patch_size, patch_size, -1)
  shape = (b, rows * patch_size, cols * patch_size, -1)
  return x.swapaxes(2, 3).reshape(shape)


def patch_window(patch_size: int, overlap: int) -> np.ndarray:
  """The weights `(patch_size + 2 overlap,)` of overlapping patches along an
  axis: ramps of squared sines, which sum to 1 with those of the neighbors.

  `overlap` is at most half of `patch_size`.
  """
  i = np.arange(patch_size + 2 * overlap)
  from_end = np.minimum(i, i[::-1]) + 0.5
  ramp = np.minimum(from_end / max(2 * overlap, 0.5), 1)
  return (np.sin(np.pi / 2 * ramp) ** 2).astype(np.float32)


def overlap_patches(
  patches: Tokens, patch_size: int, *, overlap: int, grid: tuple[int, int]
) -> Float[Array, "b h w c"]:
  """The sum of patches that overlap, weighted by `patch_window`.

  A patch is `patch_size` + 2 `overlap` pixels wide and centered on its place in
  the `grid` of (rows, columns). At the edges of the image, where there is no
  neighbor, the sum is divided by the weights: equal patches give equal pixels
  everywhere (Malvar and Staelin 1989, on overlapping block transforms).
  """
  if not overlap:
    return unpatchify(patches, patch_size, grid=grid)
  window = patch_window(patch_size, overlap)
  side, sizes = len(window), [n * patch_size for n in grid]
  x = patches.reshape(len(patches), *grid, side, side, -1)
  weights = np.outer(window, window)[None, None, None, :, :, None]
  x = x * weights.astype(x.dtype)
  for axis in (1, 2):
    x = _add_neighbors(x, overlap, axis=axis)
  x = x.swapaxes(2, 3).reshape(len(x), *sizes, -1)
  covered = np.outer(*(_coverage(window, overlap, size) for size in sizes))
  return x / covered[None, ..., None].astype(x.dtype)


def _coverage(window: np.ndarray, overlap: int, size: int) -> np.ndarray:
  """The sum of the weights at each of `size` pixels: 1 but at the ends."""
  inside = window[overlap : 2 * overlap]
  middle = np.ones(size - 2 * overlap, window.dtype)
  return np.concatenate([inside, middle, inside[::-1]])


def _add_neighbors(x: Array, overlap: int, *, axis: int) -> Array:
  """Patches `(b, rows, columns, side, side, c)` without their margins along a
  grid `axis`, which are added to their neighbors."""
  pixels = axis + 2
  end = x.shape[pixels] - overlap
  cut = functools.partial(jax.lax.slice_in_dim, x, axis=pixels)

  def moved(margin: Array, by: int) -> Array:
    """The margin in the next patch (1) or in the last one (-1)."""
    padding = [(0, 0, 0)] * x.ndim
    rest = end - 2 * overlap
    padding[axis] = (by, -by, 0)
    padding[pixels] = (0, rest, 0) if by > 0 else (rest, 0, 0)
    return jax.lax.pad(margin, jnp.zeros((), x.dtype), padding)

  before, after = cut(0, overlap), cut(end, end + overlap)
  return cut(overlap, end) + moved(after, 1) + moved(before, -1)
