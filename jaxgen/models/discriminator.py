"""A U-Net that tells generated images from real ones, place by place.

It has no normalization, so that the logits of an image depend on nothing but
this image. The last layer starts at zero: an untrained discriminator has no
opinion, and moves no generator. Sides are halved by moving pixels to channels,
since gradients of gradients of strided convolutions are slow on CPU.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jax.typing import DTypeLike
from jaxtyping import Float

from jaxgen.models.layers import ZEROS
from jaxgen.typing import Array

Features = Float[Array, "b h w d"]
Halved = Float[Array, "b half_h half_w e"]
Changed = Float[Array, "b new_h new_w e"]
LEAK = 0.2  # slope of activations for negative values
MULTIPLIERS = (1, 2, 2)  # of the width, at a half, a quarter and an eighth


class Discriminator(nn.Module, kw_only=True):
  """Images of any size `(b, h, w, c)` to logits, one for each 2 x 2 pixels.

  Attributes:
    width: features at half the size of the image.
    dtype: type of the computation; parameters and logits are float32.
  """

  width: int
  dtype: DTypeLike

  @nn.compact
  def __call__(
    self, images: Float[Array, "b h w c"]
  ) -> Float[Array, "b half_h half_w"]:
    height, width = (-(-side // 2) for side in images.shape[1:3])
    x, skips = _padded(images, 2 ** len(MULTIPLIERS)), []
    for i, multiplier in enumerate(MULTIPLIERS):
      x = self._layer(multiplier * self.width, f"down_{i}", unshuffle(x))
      skips.append(x)
    x = self._layer(x.shape[-1], "middle", x)
    for i, skip in reversed([*enumerate(skips[:-1])]):
      larger = x.repeat(2, axis=1).repeat(2, axis=2)
      x = skip + self._layer(skip.shape[-1], f"up_{i}", larger)
    x = self._layer(self.width, "head", x)
    logits = self._conv(1, "out", ZEROS)(x)[:, :height, :width, 0]
    return logits.astype(jnp.float32)

  def _layer(self, features: int, name: str, x: Features) -> Changed:
    conv = self._conv(features, name, nn.initializers.he_normal())
    return nn.leaky_relu(conv(x), LEAK)

  def _conv(self, features: int, name: str, init: Initializer) -> nn.Conv:
    return nn.Conv(
      features, (3, 3), dtype=self.dtype, kernel_init=init, name=name
    )


def unshuffle(x: Features) -> Halved:
  """Pixels `(b, 2 h, 2 w, d)` as channels `(b, h, w, 4 d)`."""
  b, h, w, d = x.shape
  x = x.reshape(b, h // 2, 2, w // 2, 2, d).swapaxes(2, 3)
  return x.reshape(b, h // 2, w // 2, 4 * d)


def _padded(images: Features, multiple: int) -> Changed:
  """Images with their last pixels repeated, to multiples of a side."""
  down, across = (-side % multiple for side in images.shape[1:3])
  return jnp.pad(images, ((0, 0), (0, down), (0, across), (0, 0)), mode="edge")
