"""DDPM's U-Net (Ho et al. 2020, arXiv:2006.11239), with the arithmetic of
`UNet2DModel` in `diffusers`.

It takes a noisy image z of the variance-preserving process and its time, and
predicts the noise: `diffusion.vp.from_epsilon` makes a denoiser of it.
"""

from __future__ import annotations

import math

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from jaxgen.config.ddpm_unet import DDPMUNetConfig
from jaxgen.models import ddpm_blocks as blocks
from jaxgen.models import layers
from jaxgen.models.layers import Dense
from jaxgen.models.network import Network
from jaxgen.typing import Array, Conditions

LOWEST = 1e-4  # frequency of the features of the time

Images = Float[Array, "b h w c"]
Features = Float[Array, "b h w d"]
Skips = list[Float[Array, "b _ _ _"]]


def time_features(
  t: Float[Array, " b"], num: int, *, shift: int, cosines_first: bool
) -> Float[Array, "b {num}"]:
  """Sines and cosines of a time at `num / 2` frequencies from 1 down to
  `LOWEST`, evenly spaced on a logarithmic scale; with a shift of 0 down to one
  step above it."""
  half = num // 2
  exponents = jnp.arange(half) / (half - shift)
  angles = t[:, None] * jnp.exp(math.log(LOWEST) * exponents)[None]
  parts = [jnp.sin(angles), jnp.cos(angles)]
  return jnp.concatenate(parts[::-1] if cosines_first else parts, axis=-1)


class TimeEmbedding(nn.Module, kw_only=True):
  """Two layers on the features of the time."""

  features: int
  dtype: DTypeLike

  @nn.compact
  def __call__(self, x: Float[Array, "b d"]) -> Float[Array, "b e"]:
    x = nn.silu(Dense(self.features, dtype=self.dtype, name="linear_1")(x))
    return Dense(self.features, dtype=self.dtype, name="linear_2")(x)


class DDPMUNet(Network, kw_only=True):
  """`(z (b, h, w, channels), t (b,), cond)` to the noise in z, float32; there
  are no conditions."""

  options: DDPMUNetConfig

  predicts_noise = True

  @nn.compact
  def __call__(
    self,
    z: Images,
    t: Float[Array, " b"],
    cond: Conditions = None,
    train: bool = False,
  ) -> Images:
    options = self.options
    features = time_features(
      t,
      options.widths[0],
      shift=options.frequency_shift,
      cosines_first=options.cosines_first,
    )
    embedding = TimeEmbedding(
      features=4 * options.widths[0], dtype=self.dtype, name="time_embedding"
    )(features)
    x = blocks.conv3(options.widths[0], "conv_in", self.dtype)(z)
    skips = self._down(x, embedding, train)
    x = self._middle(skips[-1], embedding, train)
    x = self._up(x, skips, embedding, train)
    x = nn.silu(blocks.group_norm(self._norms, "conv_norm_out")(x))
    x = blocks.conv3(self.channels, "conv_out", self.dtype)(x)
    return x.astype(jnp.float32)

  @property
  def _norms(self) -> blocks.Norms:
    options = self.options
    return blocks.Norms(
      groups=options.norm_groups, epsilon=options.norm_epsilon
    )

  def _res_block(self, features: int, name: str) -> blocks.ResBlock:
    return layers.remat(blocks.ResBlock, self.remat, static=3)(
      features=features,
      norms=self._norms,
      dropout=self.options.dropout,
      dtype=self.dtype,
      name=name,
    )

  def _attention(self, width: int, name: str) -> blocks.Attention:
    head_dim = self.options.head_dim or width
    return blocks.Attention(
      heads=width // head_dim, norms=self._norms, dtype=self.dtype, name=name
    )

  def _down(
    self, x: Features, embedding: Float[Array, "b e"], train: bool
  ) -> Skips:
    """The skip connections of all levels."""
    options, skips = self.options, [x]
    for level, width in enumerate(options.widths):
      name = f"down_blocks_{level}"
      for i in range(options.num_res_blocks):
        x = self._res_block(width, f"{name}_resnets_{i}")(x, embedding, train)
        if options.attention[level]:
          x = self._attention(width, f"{name}_attentions_{i}")(x)
        skips.append(x)
      if level + 1 < len(options.widths):
        x = blocks.Downsample(
          asymmetric=options.asymmetric_padding,
          dtype=self.dtype,
          name=f"{name}_downsamplers_0",
        )(x)
        skips.append(x)
    return skips

  def _middle(
    self, x: Features, embedding: Float[Array, "b e"], train: bool
  ) -> Features:
    """The blocks at the lowest resolution."""
    width = self.options.widths[-1]
    x = self._res_block(width, "mid_block_resnets_0")(x, embedding, train)
    if self.options.middle_attention:
      x = self._attention(width, "mid_block_attentions_0")(x)
    return self._res_block(width, "mid_block_resnets_1")(x, embedding, train)

  def _up(
    self, x: Features, skips: Skips, embedding: Float[Array, "b e"], train: bool
  ) -> Float[Array, "b new_h new_w new_d"]:
    """The way up, with a skip connection before every block."""
    options, last = self.options, len(self.options.widths) - 1
    for level, width in enumerate(reversed(options.widths)):
      name = f"up_blocks_{level}"
      for i in range(options.num_res_blocks + 1):
        x = jnp.concatenate([x, skips.pop()], axis=-1)
        x = self._res_block(width, f"{name}_resnets_{i}")(x, embedding, train)
        if options.attention[last - level]:
          x = self._attention(width, f"{name}_attentions_{i}")(x)
      if level < last:
        x = blocks.Upsample(dtype=self.dtype, name=f"{name}_upsamplers_0")(x)
    return x
