"""EDM's U-Net (Karras et al. 2022, arXiv:2206.00364, appendix F.1), which is
that of DDPM++ (Song et al. 2021, arXiv:2011.13456), as the inner network of a
denoiser.

It has the arithmetic and the names of layers of EDM's pickles, whose weights
`jaxgen.interop.edm` reads: levels are counted from full resolution.
"""

from __future__ import annotations

import math

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from jaxgen.config.song_unet import SongUNetConfig
from jaxgen.models import ddpm_blocks as blocks
from jaxgen.models import layers
from jaxgen.models.attention import attend
from jaxgen.models.conv import Resample, downsample, upsample
from jaxgen.models.ddpm_unet import time_features
from jaxgen.models.layers import Dense
from jaxgen.models.network import Network
from jaxgen.typing import Array, Conditions

EPSILON = 1e-6  # added to the variances of group norms
GROUPS, GROUP = 32, 4  # most groups of a norm, and fewest channels of a group
EMBEDDING = 4  # channels of the embedding over `width`

Images = Float[Array, "b h w c"]
Features = Float[Array, "b h w d"]
Embedding = Float[Array, "b e"]
Skips = list[Float[Array, "b _ _ _"]]


def group_norm(channels: int, name: str) -> nn.GroupNorm:
  """Group normalization of this number of channels."""
  norms = blocks.Norms(groups=min(GROUPS, channels // GROUP), epsilon=EPSILON)
  return blocks.group_norm(norms, name)


def resampled(x: Features, resample: Resample) -> Float[Array, "b nh nw d"]:
  """An image at half or twice its size, or as it is."""
  scale = {"upsample": upsample, "downsample": downsample}
  return scale[resample](x) if resample else x


class SongBlock(nn.Module, kw_only=True):
  """A residual block, and self-attention with one head; both sums are divided
  by sqrt(2)."""

  features: int
  resample: Resample = ""
  attention: bool = False
  dropout: float
  dtype: DTypeLike

  @nn.compact
  def __call__(
    self, x: Features, embedding: Embedding, train: bool
  ) -> Float[Array, "b nh nw f"]:
    y = nn.silu(group_norm(x.shape[-1], "norm0")(x))
    y = resampled(y, self.resample)
    y = blocks.conv3(self.features, "conv0", self.dtype)(y)
    level = Dense(self.features, dtype=self.dtype, name="affine")(embedding)
    y = nn.silu(group_norm(self.features, "norm1")(y + level[:, None, None]))
    y = nn.Dropout(self.dropout, deterministic=not train)(y)
    y = blocks.conv3(self.features, "conv1", self.dtype)(y)
    if self.resample or x.shape[-1] != self.features:
      x = resampled(x, self.resample)
      x = Dense(self.features, dtype=self.dtype, name="skip")(x)
    x = (x + y) / math.sqrt(2)
    return self._attend(x) if self.attention else x

  def _attend(self, x: Features) -> Features:
    b, h, w, c = x.shape
    y = group_norm(c, "norm2")(x).reshape(b, h * w, c)
    y = Dense(3 * c, dtype=self.dtype, name="qkv")(y)
    q, k, v = jnp.moveaxis(y.reshape(b, h * w, 1, c, 3), -1, 0)
    y = attend(q, k, v).reshape(b, h * w, c)
    y = Dense(c, dtype=self.dtype, name="proj")(y).reshape(x.shape)
    return (x + y) / math.sqrt(2)


class SongUNet(Network, kw_only=True):
  """`(x (b, h, w, channels), c_noise (b,), cond)` to the shape of x, float32;
  there are no conditions."""

  options: SongUNetConfig

  @nn.compact
  def __call__(
    self,
    x: Images,
    c_noise: Float[Array, " b"],
    cond: Conditions = None,
    train: bool = False,
  ) -> Images:
    embedding = self._embedding(c_noise)
    skips = self._down(x, embedding, train)
    y = self._up(skips, embedding, train)
    y = nn.silu(group_norm(y.shape[-1], "dec_0_aux_norm")(y))
    y = blocks.conv3(self.channels, "dec_0_aux_conv", self.dtype)(y)
    return y.astype(jnp.float32)

  def _embedding(self, c_noise: Float[Array, " b"]) -> Embedding:
    width = self.options.width
    x = time_features(c_noise, width, shift=1, cosines_first=False)
    for i in range(2):
      name = f"map_layer{i}"
      x = nn.silu(Dense(EMBEDDING * width, dtype=self.dtype, name=name)(x))
    return x

  def _block(
    self, level: int, name: str, *, resample: Resample = "", attention=False
  ) -> SongBlock:
    """A block with the channels of a level."""
    return layers.remat(SongBlock, self.remat, static=3)(
      features=self.options.width * self.options.multipliers[level],
      resample=resample,
      attention=attention,
      dropout=self.options.dropout,
      dtype=self.dtype,
      name=name,
    )

  def _down(self, x: Images, embedding: Embedding, train: bool) -> Skips:
    """The skip connections of all levels."""
    options = self.options
    x = blocks.conv3(options.width, "enc_0_conv", self.dtype)(x)
    skips = [x]
    for level in range(len(options.multipliers)):
      if level:
        name = f"enc_{level}_down"
        block = self._block(level - 1, name, resample="downsample")
        x = block(x, embedding, train)
        skips.append(x)
      for i in range(options.num_res_blocks):
        attention, name = options.attention[level], f"enc_{level}_block{i}"
        block = self._block(level, name, attention=attention)
        x = block(x, embedding, train)
        skips.append(x)
    return skips

  def _up(
    self, skips: Skips, embedding: Embedding, train: bool
  ) -> Float[Array, "b new_h new_w new_d"]:
    """The way up, with a skip connection before every block but the first of a
    level."""
    options, x = self.options, skips[-1]
    bottom = len(options.multipliers) - 1
    for level in reversed(range(len(options.multipliers))):
      if level == bottom:
        for i in range(2):
          name = f"dec_{level}_in{i}"
          x = self._block(level, name, attention=not i)(x, embedding, train)
      else:
        name = f"dec_{level}_up"
        block = self._block(level + 1, name, resample="upsample")
        x = block(x, embedding, train)
      for i in range(options.num_res_blocks + 1):
        last = i == options.num_res_blocks
        block = self._block(
          level,
          f"dec_{level}_block{i}",
          attention=options.attention[level] and last,
        )
        x = block(jnp.concatenate([x, skips.pop()], -1), embedding, train)
    return x
