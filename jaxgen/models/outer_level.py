"""One level of a growing U-Net around its core (`progressive_unet`)."""

from __future__ import annotations

import dataclasses

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Float

from jaxgen.config.denoisers import ProgressiveUNetConfig
from jaxgen.models.conditioning import (
  Cond,
  Conditioning,
  concat_images,
)
from jaxgen.models.conv import GroupNorm
from jaxgen.models.layers import ZEROS, Dense
from jaxgen.models.unet import UNetBase
from jaxgen.typing import Array

Images = Float[Array, "b h h c"]
Features = Float[Array, "b h h d"]
Vector = Float[Array, " b"]
Embedding = Float[Array, "b e"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class OuterLevel:
  """The layers of one level around the core; their parameters belong to the
  network.

  Attributes:
    net: the network.
    options: its section.
    level: index of the level; 1 is the first around the core.
    cond: conditions of the images.
    train: whether dropout is on.
  """

  net: UNetBase
  options: ProgressiveUNetConfig
  level: int
  cond: Cond
  train: bool

  def encode(
    self, x: Images, c_noise: Vector, *, extra: Features | float
  ) -> tuple[Features, Embedding]:
    """Features of the noisy image, and the embedding of the conditions."""
    width = self.options.outer_width
    embedding = Conditioning(
      width=4 * width,
      condition_sizes=self.net.condition_sizes,
      highest=self.options.time_frequency,
      name=self._name("conditioning"),
    )(c_noise, self.cond, x.shape[1])
    x = concat_images(x, self.cond, self.net.image_conditions)
    h = self.net.conv(width, self._name("conv_in"))(x) + extra
    return self._block(h, embedding, "block_in"), embedding

  def to_inner(self, h: Features) -> Float[Array, "b h h inner_width"]:
    """Features for the level below; zeros at initialization."""
    inner = self.options.width if self.level == 1 else self.options.outer_width
    name, dtype = self._name("to_inner"), self.net.dtype
    return Dense(inner, kernel_init=ZEROS, dtype=dtype, name=name)(h)

  def decode(
    self, h: Features, inner: Float[Array, "b h h k"], embedding: Embedding
  ) -> tuple[Images, Features]:
    """G, zeros at initialization, and the features from which it is projected;
    `inner` are features of the level below."""
    y = jnp.concatenate([h, inner], axis=-1)
    for i in range(self.options.outer_num_res_blocks):
      y = self._block(y, embedding, f"block_out_{i}")
    conv = self.net.conv(
      self.net.channels, self._name("conv_out"), zero_init=True
    )
    return conv(nn.silu(GroupNorm(name=self._name("norm"))(y))), y

  def _block(
    self, x: Float[Array, "b h h k"], embedding: Embedding, name: str
  ) -> Features:
    width = self.options.outer_width
    block = self.net.res_block(width, self._name(name))
    return block(x, embedding, self.train)

  def _name(self, name: str) -> str:
    return f"outer_{self.level}_{name}"
