"""Blocks of DDPM's U-Net and of the autoencoder of latent diffusion (Ho et al.
2020, arXiv:2006.11239; Rombach et al. 2022, arXiv:2112.10752), on images
`(b, h, w, c)`.

They have the arithmetic and the names of layers of `diffusers`, whose weights
`jaxgen.interop` reads. Unlike the blocks of `conv` their sums are not divided
by sqrt(2), and they downsample by strided convolutions.
"""

from __future__ import annotations

import dataclasses

import flax.linen as nn
from jax.typing import DTypeLike
from jaxtyping import Float

from jaxgen.models.attention import attend
from jaxgen.models.conv import upsample
from jaxgen.models.layers import Dense
from jaxgen.typing import Array

Features = Float[Array, "b h w c"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Norms:
  """The group norms of a network.

  Attributes:
    groups: number of groups of channels.
    epsilon: added to variances.
  """

  groups: int
  epsilon: float


def group_norm(norms: Norms, name: str) -> nn.GroupNorm:
  """Group normalization, with statistics in float32."""
  return nn.GroupNorm(
    norms.groups, epsilon=norms.epsilon, use_fast_variance=False, name=name
  )


def conv3(features: int, name: str, dtype: DTypeLike) -> nn.Conv:
  """A 3 x 3 convolution with zeros around the image."""
  return nn.Conv(features, (3, 3), padding=1, dtype=dtype, name=name)


class ResBlock(nn.Module, kw_only=True):
  """A residual block; an embedding of the time is added between its
  convolutions."""

  features: int
  norms: Norms
  dropout: float = 0.0
  dtype: DTypeLike

  @nn.compact
  def __call__(
    self, x: Features, embedding: Float[Array, "b e"] | None, train: bool
  ) -> Float[Array, "b h w d"]:
    """An image of `features` channels; `embedding` is None in networks without
    a time."""
    y = nn.silu(group_norm(self.norms, "norm1")(x))
    y = conv3(self.features, "conv1", self.dtype)(y)
    if embedding is not None:
      time = Dense(self.features, dtype=self.dtype, name="time_emb_proj")
      y = y + time(nn.silu(embedding))[:, None, None]
    y = nn.silu(group_norm(self.norms, "norm2")(y))
    y = nn.Dropout(self.dropout, deterministic=not train)(y)
    y = conv3(self.features, "conv2", self.dtype)(y)
    if x.shape[-1] != self.features:
      x = Dense(self.features, dtype=self.dtype, name="conv_shortcut")(x)
    return x + y


class Attention(nn.Module, kw_only=True):
  """Residual self-attention of all positions."""

  heads: int
  norms: Norms
  dtype: DTypeLike

  @nn.compact
  def __call__(self, x: Features) -> Features:
    b, h, w, c = x.shape
    y = group_norm(self.norms, "group_norm")(x).reshape(b, h * w, c)
    split = (b, h * w, self.heads, c // self.heads)
    q, k, v = (
      Dense(c, dtype=self.dtype, name=name)(y).reshape(split)
      for name in ("to_q", "to_k", "to_v")
    )
    y = attend(q, k, v).reshape(b, h * w, c)
    return x + Dense(c, dtype=self.dtype, name="to_out")(y).reshape(x.shape)


class Downsample(nn.Module, kw_only=True):
  """A convolution of stride 2, on images with zeros at the right and the
  bottom only (`asymmetric`), or on all sides."""

  asymmetric: bool
  dtype: DTypeLike

  @nn.compact
  def __call__(self, x: Features) -> Float[Array, "b h2 w2 c"]:
    side = (0, 1) if self.asymmetric else (1, 1)
    conv = nn.Conv(
      x.shape[-1],
      (3, 3),
      strides=2,
      padding=(side, side),
      dtype=self.dtype,
      name="conv",
    )
    return conv(x)


class Upsample(nn.Module, kw_only=True):
  """Each pixel repeated as 2 x 2 pixels, and a convolution."""

  dtype: DTypeLike

  @nn.compact
  def __call__(self, x: Features) -> Float[Array, "b h2 w2 c"]:
    return conv3(x.shape[-1], "conv", self.dtype)(upsample(x))
