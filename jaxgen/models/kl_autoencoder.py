"""The variational autoencoder of latent diffusion (Rombach et al. 2022,
arXiv:2112.10752), with the arithmetic of `AutoencoderKL` in `diffusers`.

    conv -> levels, each downsampled -> middle -> norm, conv, 1 x 1  (encode)
    1 x 1, conv -> middle -> levels, each upsampled -> norm, conv    (decode)

Latents are feature maps `(b, h / 2^n, w / 2^n, latent_channels)` of n + 1
levels, normalized by the moments of the config. It runs at any resolution, up
to the memory of the attention in the middle.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from jaxgen.config.kl_autoencoder import KLAutoencoderConfig
from jaxgen.config.stages import Remat
from jaxgen.models import ddpm_blocks as blocks
from jaxgen.models import layers
from jaxgen.models.conv_autoencoder import LOG_VARIANCE
from jaxgen.models.layers import Dense
from jaxgen.models.network import PosteriorNetwork
from jaxgen.typing import Array

EPSILON = 1e-6  # of group norms

Images = Float[Array, "b h w c"]
Features = Float[Array, "b h w d"]
Latents = Float[Array, "b small_h small_w d"]
Moments = Float[Array, "1 1 1 d"]


class Levels(nn.Module, kw_only=True):
  """The layers common to encoder and decoder."""

  options: KLAutoencoderConfig
  remat: Remat
  dtype: DTypeLike

  @property
  def norms(self) -> blocks.Norms:
    """The group norms of all layers."""
    return blocks.Norms(groups=self.options.norm_groups, epsilon=EPSILON)

  def res_block(
    self, x: Images, features: int, name: str, *, train: bool
  ) -> Features:
    """A residual block."""
    block = layers.remat(blocks.ResBlock, self.remat, static=3)(
      features=features, norms=self.norms, dtype=self.dtype, name=name
    )
    return block(x, None, train)

  def middle(self, x: Images, *, train: bool) -> Features:
    """The blocks at the lowest resolution, with attention of one head."""
    width = self.options.widths[-1]
    x = self.res_block(x, width, "mid_block_resnets_0", train=train)
    if self.options.attention:
      x = blocks.Attention(
        heads=1,
        norms=self.norms,
        dtype=self.dtype,
        name="mid_block_attentions_0",
      )(x)
    return self.res_block(x, width, "mid_block_resnets_1", train=train)

  def head(self, x: Images, features: int) -> Features:
    """A projection of the last features to the output."""
    x = nn.silu(blocks.group_norm(self.norms, "conv_norm_out")(x))
    return blocks.conv3(features, "conv_out", self.dtype)(x)


class Encoder(Levels, kw_only=True):
  """The encoder: images to mean and log variance."""

  @nn.compact
  def __call__(self, x: Images, train: bool = False) -> Latents:
    options = self.options
    x = blocks.conv3(options.widths[0], "conv_in", self.dtype)(x)
    for level, width in enumerate(options.widths):
      name = f"down_blocks_{level}"
      for i in range(options.num_res_blocks):
        x = self.res_block(x, width, f"{name}_resnets_{i}", train=train)
      if level + 1 < len(options.widths):
        x = blocks.Downsample(
          asymmetric=True, dtype=self.dtype, name=f"{name}_downsamplers_0"
        )(x)
    x = self.middle(x, train=train)
    return self.head(x, 2 * options.latent_channels)


class Decoder(Levels, kw_only=True):
  """The decoder: latents to images."""

  channels: int

  @nn.compact
  def __call__(self, x: Latents, train: bool = False) -> Images:
    options = self.options
    x = blocks.conv3(options.widths[-1], "conv_in", self.dtype)(x)
    x = self.middle(x, train=train)
    for level, width in enumerate(reversed(options.widths)):
      name = f"up_blocks_{level}"
      for i in range(options.num_res_blocks + 1):
        x = self.res_block(x, width, f"{name}_resnets_{i}", train=train)
      if level + 1 < len(options.widths):
        x = blocks.Upsample(dtype=self.dtype, name=f"{name}_upsamplers_0")(x)
    return self.head(x, self.channels)


class KLAutoencoder(PosteriorNetwork, kw_only=True):
  """Images `(b, h, w, channels)` to latents and back."""

  options: KLAutoencoderConfig

  variational = True

  def setup(self) -> None:
    options = self.options
    same = {"options": options, "remat": self.remat, "dtype": self.dtype}
    self.encoder = Encoder(**same)
    self.decoder = Decoder(channels=self.channels, **same)
    if options.quant_conv:
      self.quant_conv = Dense(2 * options.latent_channels, dtype=self.dtype)
    if options.post_quant_conv:
      self.post_quant_conv = Dense(options.latent_channels, dtype=self.dtype)

  @property
  def moments(self) -> tuple[Moments, Moments]:
    """Mean and standard deviation by which latents are normalized."""
    channels = self.options.latent_channels
    mean = self.options.latent_mean or (0.0,) * channels
    std = self.options.latent_std or (1.0,) * channels
    shaped = lambda x: jnp.asarray(x, jnp.float32)[None, None, None]  # noqa: E731
    return shaped(mean), shaped(std)

  def posterior(
    self, images: Images, train: bool = False
  ) -> tuple[Latents, Latents]:
    """Mean and log variance of the normalized latents, float32, for images in
    [-1, 1]."""
    x = self.encoder(images, train)
    if self.options.quant_conv:
      x = self.quant_conv(x)
    mean, log_variance = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    center, scale = self.moments
    log_variance = jnp.clip(log_variance, *LOG_VARIANCE) - 2 * jnp.log(scale)
    return (mean - center) / scale, log_variance

  def outputs(
    self, latents: Latents, train: bool = False
  ) -> dict[str, Float[Array, "b ..."]]:
    """The float32 `image`, about [-1, 1] and not clipped."""
    center, scale = self.moments
    x = latents * scale + center
    if self.options.post_quant_conv:
      x = self.post_quant_conv(x)
    return {"image": self.decoder(x, train).astype(jnp.float32)}
