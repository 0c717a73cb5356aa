"""A U-Net that sees the image at several sizes at once.

Each size has a convolution and a residual block of its own; what they find is
brought back to the image's size, joined, and added to the features that the
U-Net begins with. One preconditioned denoiser, whatever the sizes.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxgen.config.fields import PositiveInt
from jaxgen.images import resize
from jaxgen.models.conditioning import Conditioning
from jaxgen.models.layers import Dense
from jaxgen.models.unet import UNet, UNetFields
from jaxgen.typing import Array


class MultiScaleUNet(UNetFields):
  """`(x (b, h, h, channels), c_noise (b,), cond)` to the shape of `x`."""

  scales: tuple[PositiveInt, ...] = (32, 64, 96, 128)  # sides in pixels
  scale_width: PositiveInt = 32  # channels of each

  @nn.compact
  def __call__(
    self, x: Array, c_noise: Array, cond: Any = None, train: bool = False
  ) -> Array:
    vector = Conditioning(4 * self.scale_width, self.sizes, name="scales")
    embedding = vector(c_noise, cond, x.shape[1])
    circular, found = self.padding == "circular", []
    for i, side in enumerate(self.scales):
      y = resize(x, side, circular)
      y = self.conv(self.scale_width, f"scale_{i}_conv")(y)
      block = self.res_block(self.scale_width, f"scale_{i}_block")
      found.append(resize(block(y, embedding, train), x.shape[1], circular))
    fuse = Dense(self.width, dtype=self.dtype, name="fuse")
    extra = fuse(jnp.concatenate(found, axis=-1))
    core = UNet.within(self, self.resolution, name="core")
    return core.inside(x, c_noise, cond, train, extra)[0]
