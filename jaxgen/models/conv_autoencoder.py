"""A convolutional autoencoder, plain or variational.

    conv -> levels, halved between them -> bottom -> norm, conv     (encode)
    conv -> bottom -> levels, doubled between them -> norm, conv    (decode)

Latents are small images `(b, h / 2^n, w / 2^n, latent_channels)`, or with
`latent_dim` one vector, tied to that small image by a dense layer each way. A
variational encoder gives a diagonal Gaussian for each latent number (Kingma and
Welling 2014). Two heads may be added: labels of pixels from the features that
the image is painted from, and a class of the image from its latent.
"""

from __future__ import annotations

import functools
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxgen.config.fields import NonNegativeInt, PositiveInt
from jaxgen.models.conv import Convolutional, GroupNorm
from jaxgen.models.layers import Dense
from jaxgen.models.resampling import (
  Rules,
  resize_input_kernel,
  resize_output_kernel,
)
from jaxgen.typing import Array

LOG_VARIANCE = (-30.0, 20.0)  # of a posterior; as latent diffusion clamps it
HIDDEN = 128  # numbers between the latent and the class


class Levels(Convolutional):
  """The fields that both ways have."""

  base_channels: PositiveInt = 64
  multipliers: tuple[PositiveInt, ...] = (
    1,
    2,
    4,
  )  # outermost first; the last holds
  downsampling_steps: PositiveInt = 3
  num_res_blocks: PositiveInt = 2  # at each level
  attention: bool = False  # at the bottom
  head_dim: PositiveInt = 64

  @property
  def widths(self) -> list[int]:
    """Channels of each level, the outermost first."""
    last = len(self.multipliers) - 1
    levels = range(self.downsampling_steps + 1)
    return [self.base_channels * self.multipliers[min(i, last)] for i in levels]

  def level(self, x: Array, train: bool, depth: int, change: str = "") -> Array:
    """The blocks of one level, after a change of size that leads to it."""
    width = self.widths[depth]
    if change:
      block = self.res_block(width, f"{change}_{depth}", resample=change)
      x = block(x, None, train)
    for i in range(self.num_res_blocks):
      x = self.res_block(width, f"level_{depth}_{i}")(x, None, train)
    return x

  def bottom(self, x: Array, train: bool) -> Array:
    """A block at the smallest size, with attention where it is asked for."""
    heads = {"head_dim": self.head_dim * self.attention}
    return self.res_block(self.widths[-1], "bottom", **heads)(x, None, train)

  def last(self, x: Array, features: int, name: str = "out") -> Array:
    """What is read from the last features."""
    x = nn.silu(GroupNorm(name=f"norm_{name}")(x))
    return self.conv(features, f"conv_{name}")(x)


class Encoder(Levels):
  """Images to small images of `features` channels."""

  features: PositiveInt = 4

  @nn.compact
  def __call__(self, x: Array, train: bool = False) -> Array:
    x = self.conv(self.widths[0], "conv_in")(x)
    for depth in range(len(self.widths)):
      x = self.level(x, train, depth, "halve" if depth else "")
    return self.last(self.bottom(x, train), self.features)


class Decoder(Levels):
  """Small images to images, and the labels of their pixels."""

  channels: PositiveInt = 3
  num_seg_classes: NonNegativeInt = 0

  @nn.compact
  def __call__(self, x: Array, train: bool = False) -> dict[str, Array]:
    x = self.conv(self.widths[-1], "conv_in")(x)
    x = self.bottom(x, train)
    for depth in reversed(range(len(self.widths))):
      x = self.level(
        x, train, depth, "double" if depth + 1 < len(self.widths) else ""
      )
    found = {"image": self.last(x, self.channels)}
    if self.num_seg_classes:
      found["segments"] = self.last(x, self.num_seg_classes, "segments")
    return found


class ConvAutoencoder(Levels):
  """Images `(b, resolution, resolution, channels)` to latents and back."""

  resolution: int = 256
  channels: int = 3
  latent_channels: PositiveInt = 4
  latent_dim: NonNegativeInt = 0  # 0: latents are small images; else vectors
  variational: bool = False
  num_seg_classes: NonNegativeInt = (
    0  # kinds of pixels that the decoder tells apart
  )
  num_classes: NonNegativeInt = 0  # kinds of images that the latent tells apart

  def rules(self, old: ConvAutoencoder) -> Rules:
    """From the parameters of a model of another resolution: convolutions as
    they are, what is tied to the small image resampled."""
    grid = {"old": old.side, "new": self.side}
    rules = {
      "latent_out/kernel": functools.partial(resize_input_kernel, **grid),
      "latent_in/kernel": functools.partial(resize_output_kernel, **grid),
      "latent_in/bias": functools.partial(resize_output_kernel, **grid),
    }
    return rules if self.latent_dim else {}

  @property
  def side(self) -> int:
    """Of the small image, in pixels."""
    return self.resolution // 2**self.downsampling_steps

  def setup(self) -> None:
    shared: Any = {k: getattr(self, k) for k in Levels.__dataclass_fields__}
    shared = {k: v for k, v in shared.items() if k not in ("parent", "name")}
    answers = 1 + self.variational  # mean and log variance
    vector = self.latent_dim > 0
    small = self.latent_channels * (1 if vector else answers)
    self.encoder = Encoder(features=small, **shared)
    self.decoder = Decoder(
      channels=self.channels, num_seg_classes=self.num_seg_classes, **shared
    )
    if vector:
      cells = self.side**2 * self.latent_channels
      self.latent_out = Dense(answers * self.latent_dim, dtype=self.dtype)
      self.latent_in = Dense(cells, dtype=self.dtype)
    if self.num_classes:
      self.class_in = Dense(HIDDEN, dtype=self.dtype)
      self.class_out = Dense(self.num_classes, dtype=self.dtype)

  def posterior(
    self, images: Array, train: bool = False
  ) -> tuple[Array, Array | None]:
    """Mean and log variance of the latents, float32, of images float32 in
    [-1, 1]; None where the encoder is not variational."""
    x = self.encoder(images, train)
    if self.latent_dim:
      x = self.latent_out(x.reshape(len(x), -1))
    x = x.astype(jnp.float32)
    if not self.variational:
      return x, None
    mean, log_variance = jnp.split(x, 2, axis=-1)
    return mean, jnp.clip(log_variance, *LOG_VARIANCE)

  def outputs(self, latents: Array, train: bool = False) -> dict[str, Array]:
    """`image`, about [-1, 1] and not clipped, and the heads' logits, all
    float32: `segments` `(b, h, w, segments)` and `classes` `(b, classes)`."""
    x = latents
    if self.latent_dim:
      x = self.latent_in(x).reshape(len(x), self.side, self.side, -1)
    found = self.decoder(x, train)
    if self.num_classes:
      found["classes"] = self._classify(latents)
    return {k: v.astype(jnp.float32) for k, v in found.items()}

  def _classify(self, latents: Array) -> Array:
    x = nn.silu(self.class_in(latents))
    x = x if self.latent_dim else x.mean((1, 2))
    return self.class_out(x)

  def encode(self, images: Array, train: bool = False) -> Array:
    """The posterior's mean."""
    return self.posterior(images, train)[0]

  def decode(self, latents: Array, train: bool = False) -> Array:
    """The image alone."""
    return self.outputs(latents, train)["image"]

  def __call__(self, images: Array, train: bool = False) -> dict[str, Array]:
    """`outputs(encode(images))`."""
    return self.outputs(self.encode(images, train), train)
