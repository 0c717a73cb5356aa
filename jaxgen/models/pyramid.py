"""Images read and painted in patches at several sizes at once.

A level of n x n patches, each of p x p pixels, sees the image at n p pixels;
each adds to what the coarser ones have made:

    tokens_n = repeat tokens_m + read_n(means of the pixels)
    image_n  = enlarge image_m + paint_n(means of the tokens)

A level whose layers are zero leaves the others as they are. If tokens are
repeated ones, so are those after any block of attention: a softmax over keys
that are all repeated alike does not change. With what belongs to a place on the
grid repeated too, a network with a new level is the one before, between means
and enlarging: up D(down x).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import jax.numpy as jnp

from jaxgen.images import resize
from jaxgen.models.layers import patchify, unpatchify
from jaxgen.typing import Array

Layers = Sequence[Callable[[Array], Array]]  # one for each level


def read_levels(
  layers: Layers, sides: Sequence[int], images: Array, patch: int
) -> Array:
  """Tokens on the finest grid, `(b, side^2, d)`, of images `(b, h, h, c)`."""

  def level(layer: Callable, side: int) -> Array:
    return layer(patchify(resize(images, side * patch), patch))

  x = level(layers[0], sides[0])
  for layer, side in zip(layers[1:], sides[1:], strict=True):
    x = repeated(x, side) + level(layer, side)
  return x


def paint_levels(
  layers: Layers, sides: Sequence[int], tokens: Array, patch: int
) -> Array:
  """The image `(b, h, h, c)` of tokens on the finest grid."""
  on_grid = unpatchify(tokens, 1, (sides[-1], sides[-1]))

  def level(layer: Callable, side: int) -> Array:
    patches = layer(patchify(resize(on_grid, side), 1))
    return unpatchify(patches, patch, (side, side))

  image = level(layers[0], sides[0])
  for layer, side in zip(layers[1:], sides[1:], strict=True):
    image = resize(image, side * patch) + level(layer, side)
  return image


def repeated(tokens: Array, side: int) -> Array:
  """Tokens `(b, m^2, d)` of a grid, each repeated on one that is a multiple,
  `(b, side^2, d)`."""
  b, n, d = tokens.shape
  m = math.isqrt(n)
  x = tokens.reshape(b, m, 1, m, 1, d)
  shape = (b, m, side // m, m, side // m, d)
  return jnp.broadcast_to(x, shape).reshape(b, -1, d)
