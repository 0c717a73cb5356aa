"""Conversion of images to tokens and back, with patches at several scales.

A level of n x n patches of p x p pixels processes the image at n p pixels and
adds to the sum of the coarser levels:

    tokens_n = repeat tokens_m + input_n(average-pooled image)
    image_n  = enlarge image_m + output_n(average-pooled tokens)

A level with zero layers leaves the others unchanged. Attention maps repeated
tokens to repeated tokens, since repeating all keys equally does not change a
softmax. With the position embeddings repeated as well, a network D with a new
level computes the same function at the lower resolution: up D(down x).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import jax.numpy as jnp
from jaxtyping import Float

from jaxgen.images import resize
from jaxgen.models.patches import overlap_patches, patchify, unpatchify
from jaxgen.typing import Array

Images = Float[Array, "b h h c"]
Tokens = Float[Array, "b n d"]
LevelLayers = Sequence[Callable[[Array], Array]]  # one for each level


def image_to_tokens(
  layers: LevelLayers,
  images: Images,
  *,
  sides: Sequence[int],
  patch_size: int,
) -> Tokens:
  """The sum of the tokens of all levels, on the finest grid.

  Args:
    layers: layers from patches to tokens, one per level.
    images: square images.
    sides: patches per side of each level, from coarse to fine.
    patch_size: side of a patch in pixels, at every level.
  """

  def level(layer: Callable[[Array], Array], side: int) -> Tokens:
    return layer(patchify(resize(images, side * patch_size), patch_size))

  x = level(layers[0], sides[0])
  for layer, side in zip(layers[1:], sides[1:], strict=True):
    x = repeat_tokens(x, side) + level(layer, side)
  return x


def tokens_to_image(
  layers: LevelLayers,
  tokens: Tokens,
  *,
  sides: Sequence[int],
  patch_size: int,
  overlap: int = 0,
) -> Images:
  """The sum of the images of all levels, at the finest resolution.

  Args:
    layers: layers from tokens to patches, one per level.
    tokens: tokens of the finest grid.
    sides: patches per side of each level, from coarse to fine.
    patch_size: side of a patch in pixels, at every level.
    overlap: pixels by which a patch reaches into each of its neighbors.
  """
  on_grid = unpatchify(tokens, 1, grid=(sides[-1], sides[-1]))

  def level(layer: Callable[[Array], Array], side: int) -> Images:
    patches = layer(patchify(resize(on_grid, side), 1))
    grid = side, side
    return overlap_patches(patches, patch_size, overlap=overlap, grid=grid)

  image = level(layers[0], sides[0])
  for layer, side in zip(layers[1:], sides[1:], strict=True):
    image = resize(image, side * patch_size) + level(layer, side)
  return image


def repeat_tokens(tokens: Tokens, side: int) -> Float[Array, "b {side*side} d"]:
  """Tokens of an m x m grid repeated to a `side` x `side` grid; `side` is a
  multiple of m."""
  b, n, d = tokens.shape
  m = math.isqrt(n)
  x = tokens.reshape(b, m, 1, m, 1, d)
  shape = (b, m, side // m, m, side // m, d)
  return jnp.broadcast_to(x, shape).reshape(b, -1, d)
