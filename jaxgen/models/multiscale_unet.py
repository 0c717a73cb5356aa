"""A U-Net that processes the image at several sizes at once.

Each size has its own convolution and residual block; their features are resized
to the image's size, concatenated, and added to the first features of the U-Net.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Float

from jaxgen.config.denoisers import MultiScaleUNetConfig
from jaxgen.images import resize
from jaxgen.models.conditioning import Cond, Conditioning
from jaxgen.models.layers import Dense
from jaxgen.models.unet import UNetBase, core
from jaxgen.typing import Array


class MultiScaleUNet(UNetBase, kw_only=True):
  """`(x (b, h, h, channels), c_noise (b,), cond)` to the shape of `x`."""

  options: MultiScaleUNetConfig

  @nn.compact
  def __call__(
    self,
    x: Float[Array, "b h h c"],
    c_noise: Float[Array, " b"],
    cond: Cond = None,
    train: bool = False,
  ) -> Float[Array, "b h h c"]:
    """The output of the network."""
    embedding = Conditioning(
      width=4 * self.options.scale_width,
      condition_sizes=self.condition_sizes,
      highest=self.options.time_frequency,
      name="scales",
    )(c_noise, cond, x.shape[1])
    features = [
      self._scale(i, x, embedding, train)
      for i in range(len(self.options.scales))
    ]
    fuse = Dense(self.options.width, dtype=self.dtype, name="fuse")
    extra = fuse(jnp.concatenate(features, axis=-1))
    network = core(self, self.resolution)
    return network.with_features(x, c_noise, cond, train, extra=extra)[0]

  def _scale(
    self,
    i: int,
    x: Float[Array, "b h h c"],
    embedding: Float[Array, "b e"],
    train: bool,
  ) -> Float[Array, "b h h d"]:
    """Features of the image at scale `i`, resized to the image's size."""
    options = self.options
    circular = options.padding == "circular"
    y = resize(x, options.scales[i], circular=circular)
    y = self.conv(options.scale_width, f"scale_{i}_conv")(y)
    block = self.res_block(options.scale_width, f"scale_{i}_block")
    return resize(block(y, embedding, train), x.shape[1], circular=circular)
