"""Images to tokens and back through patches at several sizes at once.

A level of n x n patches, each of p x p pixels, sees the image at n p pixels and
adds to the sum of the coarser levels:

    tokens_n = repeat tokens_m + input_n(means of the pixels)
    image_n  = enlarge image_m + output_n(means of the tokens)

A level whose layers are zero leaves the others unchanged. If tokens are
repeated ones, so are those after any block of attention: a softmax over keys
that are all repeated alike does not change. With the position embeddings
repeated too, a network with a new level equals the network before, between
means and enlarging: up D(down x).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import jax.numpy as jnp
from jaxtyping import Float

from jaxgen.images import resize
from jaxgen.models.layers import patchify, unpatchify
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
    layers: patches to tokens, of each level.
    images: square images.
    sides: patches a side of each level, from coarse to fine.
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
) -> Images:
  """The sum of the images of all levels, at the size of the finest one.

  Args:
    layers: tokens to patches, of each level.
    tokens: those of the finest grid.
    sides: patches a side of each level, from coarse to fine.
    patch_size: side of a patch in pixels, at every level.
  """
  on_grid = unpatchify(tokens, 1, grid=(sides[-1], sides[-1]))

  def level(layer: Callable[[Array], Array], side: int) -> Images:
    patches = layer(patchify(resize(on_grid, side), 1))
    return unpatchify(patches, patch_size, grid=(side, side))

  image = level(layers[0], sides[0])
  for layer, side in zip(layers[1:], sides[1:], strict=True):
    image = resize(image, side * patch_size) + level(layer, side)
  return image


def repeat_tokens(tokens: Tokens, side: int) -> Float[Array, "b {side*side} d"]:
  """Tokens of an m x m grid, each repeated on a `side` x `side` grid; `side` is
  a multiple of m."""
  b, n, d = tokens.shape
  m = math.isqrt(n)
  x = tokens.reshape(b, m, 1, m, 1, d)
  shape = (b, m, side // m, m, side // m, d)
  return jnp.broadcast_to(x, shape).reshape(b, -1, d)
