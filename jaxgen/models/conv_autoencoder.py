"""A convolutional autoencoder, plain or variational.

    conv -> levels, each downsampled -> bottom -> norm, conv        (encode)
    conv -> bottom -> levels, each upsampled -> norm, conv          (decode)

Latents are feature maps `(b, h / 2^n, w / 2^n, latent_channels)`, or with
`latent_dim` a vector, mapped from and to the feature map by a dense layer. A
variational encoder predicts a diagonal Gaussian over the latent (Kingma and
Welling 2014). There are two optional heads: pixel classes, from the features of
the decoder's last level, and an image class, from the latent.
"""

from __future__ import annotations

import functools

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Float

from jaxgen.config.models import ConvAutoencoderConfig
from jaxgen.models.conv import Convolutional, GroupNorm
from jaxgen.models.layers import Dense
from jaxgen.models.network import PosteriorNetwork
from jaxgen.models.resampling import (
  TransferRules,
  resize_input_kernel,
  resize_output_kernel,
)
from jaxgen.typing import Array

LOG_VARIANCE = (-30.0, 20.0)  # clipping range, as in latent diffusion
HIDDEN = 128  # features between the latent and the class

Images = Float[Array, "b h w c"]
Features = Float[Array, "b h w d"]
SmallImages = Float[Array, "b small_h small_w d"]
Latents = Float[Array, "b *latent"]


class Levels(Convolutional, kw_only=True):
  """The layers common to encoder and decoder."""

  options: ConvAutoencoderConfig

  def level(self, x: Images, train: bool, *, depth: int) -> Features:
    """The blocks of one level."""
    width = self.options.widths[depth]
    for i in range(self.options.num_res_blocks):
      x = self.res_block(width, f"level_{depth}_{i}")(x, None, train)
    return x

  def bottom(self, x: Images, train: bool) -> Features:
    """A block at the lowest resolution, with attention if enabled."""
    options = self.options
    head_dim = options.head_dim * options.attention
    block = self.res_block(options.widths[-1], "bottom", head_dim=head_dim)
    return block(x, None, train)

  def head(self, x: Images, features: int, *, name: str = "out") -> Features:
    """A projection of the last features to an output."""
    x = nn.silu(GroupNorm(name=f"norm_{name}")(x))
    return self.conv(features, f"conv_{name}")(x)


class Encoder(Levels, kw_only=True):
  """The encoder: images to feature maps of `features` channels."""

  features: int

  @nn.compact
  def __call__(self, x: Images, train: bool = False) -> SmallImages:
    widths = self.options.widths
    x = self.conv(widths[0], "conv_in")(x)
    for depth, width in enumerate(widths):
      if depth:
        block = self.res_block(
          width, f"downsample_{depth}", resample="downsample"
        )
        x = block(x, None, train)
      x = self.level(x, train, depth=depth)
    return self.head(self.bottom(x, train), self.features)


class Decoder(Levels, kw_only=True):
  """The decoder: feature maps to images and logits of pixel classes."""

  channels: int

  @nn.compact
  def __call__(
    self, x: SmallImages, train: bool = False
  ) -> dict[str, Float[Array, "b h w _"]]:
    widths, classes = self.options.widths, self.options.num_seg_classes
    x = self.conv(widths[-1], "conv_in")(x)
    x = self.bottom(x, train)
    for depth, width in reversed(list(enumerate(widths))):
      if depth + 1 < len(widths):
        name = f"upsample_{depth}"
        block = self.res_block(width, name, resample="upsample")
        x = block(x, None, train)
      x = self.level(x, train, depth=depth)
    outputs = {"image": self.head(x, self.channels)}
    if classes:
      outputs["segments"] = self.head(x, classes, name="segments")
    return outputs


class ConvAutoencoder(PosteriorNetwork, kw_only=True):
  """Images `(b, resolution, resolution, channels)` to latents and back."""

  options: ConvAutoencoderConfig
  num_classes: int  # image classes predicted from the latent; 0: no head

  def rules(self, old: ConvAutoencoder) -> TransferRules:
    """Rules for the parameters of a model of another resolution: convolutions
    are unchanged, layers tied to the latent's size are resampled."""
    grid = {"old": old.side, "new": self.side}
    rules = {
      "latent_out/kernel": functools.partial(resize_input_kernel, **grid),
      "latent_in/kernel": functools.partial(resize_output_kernel, **grid),
      "latent_in/bias": functools.partial(resize_output_kernel, **grid),
    }
    return rules if self.options.latent_dim else {}

  @property
  def side(self) -> int:
    """Side of the latent feature map in pixels."""
    return self.resolution // 2**self.options.downsampling_steps

  @property
  def variational(self) -> bool:
    """Whether the encoder predicts a variance."""
    return self.options.variational

  def setup(self) -> None:
    options = self.options
    moments = 1 + options.variational  # mean and log variance
    vector = options.latent_dim > 0
    features = options.latent_channels * (1 if vector else moments)
    same = {"options": options, "remat": self.remat, "dtype": self.dtype}
    self.encoder = Encoder(features=features, **same)
    self.decoder = Decoder(channels=self.channels, **same)
    if vector:
      size = self.side**2 * options.latent_channels
      self.latent_out = self._dense(moments * options.latent_dim)
      self.latent_in = self._dense(size)
    if self.num_classes:
      self.class_in = self._dense(HIDDEN)
      self.class_out = self._dense(self.num_classes)

  def _dense(self, features: int) -> Dense:
    return Dense(features, dtype=self.dtype)

  def posterior(
    self, images: Images, train: bool = False
  ) -> tuple[Latents, Latents | None]:
    """Mean and log variance of the latents, float32, for images in [-1, 1];
    the log variance is None if the encoder is not variational."""
    x = self.encoder(images, train)
    if self.options.latent_dim:
      x = self.latent_out(x.reshape(len(x), -1))
    x = x.astype(jnp.float32)
    if not self.variational:
      return x, None
    mean, log_variance = jnp.split(x, 2, axis=-1)
    return mean, jnp.clip(log_variance, *LOG_VARIANCE)

  def outputs(
    self, latents: Latents, train: bool = False
  ) -> dict[str, Float[Array, "b ..."]]:
    """The float32 `image`, about [-1, 1] and not clipped, and the heads'
    logits: `segments` `(b, h, w, segments)` and `classes` `(b, classes)`."""
    x = latents
    if self.options.latent_dim:
      x = self.latent_in(x).reshape(len(x), self.side, self.side, -1)
    outputs = self.decoder(x, train)
    if self.num_classes:
      outputs["classes"] = self._classify(latents)
    return {k: v.astype(jnp.float32) for k, v in outputs.items()}

  def _classify(self, latents: Latents) -> Float[Array, "b classes"]:
    x = nn.silu(self.class_in(latents))
    x = x if self.options.latent_dim else x.mean((1, 2))
    return self.class_out(x)
