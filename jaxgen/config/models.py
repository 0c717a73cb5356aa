"""The section `model`: one class for each network.

`check(resolution)` raises a UserError if the sizes are inconsistent. `smoke`
and `demo` are the sizes of those variants: `smoke` runs in seconds on a CPU,
with `smoke_images` images, `demo` in minutes.
"""

from __future__ import annotations

import itertools
from typing import Any, ClassVar, Literal

from jaxgen.config.ddpm_unet import DDPMUNetConfig
from jaxgen.config.denoisers import (
  DiTConfig,
  MLPConfig,
  MultiScaleUNetConfig,
  ProgressiveUNetConfig,
  UNetConfig,
)
from jaxgen.config.fields import (
  NonNegativeInt,
  PositiveInt,
  UnitInterval,
  section,
)
from jaxgen.config.kl_autoencoder import KLAutoencoderConfig
from jaxgen.config.networks import DType, Padding, check_patches
from jaxgen.config.song_unet import SongUNetConfig
from jaxgen.config.upscalers import UPSCALERS, UpscalerConfig
from jaxgen.errors import UserError


@section("model")
class PatchAutoencoderConfig:
  """A transformer on patches that encodes an image to a latent."""

  smoke_images: ClassVar[int] = 960
  smoke: ClassVar[dict[str, Any]] = {
    "width": 32,
    "heads": 2,
    "encoder_depth": 1,
    "decoder_depth": 1,
    "latent_dim": 16,
    "patch_features": 8,
  }
  demo: ClassVar[dict[str, Any]] = {}

  name: Literal["patch_autoencoder"] = "patch_autoencoder"
  """Name of the network."""
  patch_size: PositiveInt = 16
  """Side of a patch in pixels; must divide the resolution."""
  overlap: UnitInterval = 0.0
  """Part of a patch, up to 0.5, that decoded patches reach into neighbors."""
  grids: tuple[PositiveInt, ...] = ()
  """Patches per side of each level, for stages with ever finer grids."""
  width: PositiveInt = 512
  """Features of a token."""
  encoder_depth: NonNegativeInt = 6
  """Blocks of the encoder."""
  decoder_depth: NonNegativeInt = 6
  """Blocks of the decoder."""
  heads: PositiveInt = 8
  """Attention heads; must divide the width."""
  mlp_ratio: PositiveInt = 4
  """Hidden features of an MLP, as a multiple of the width."""
  latent: Literal["vector", "tokens"] = "vector"
  """One latent vector per image, or one per patch."""
  latent_dim: PositiveInt = 512
  """Dimensions of a latent vector."""
  patch_features: PositiveInt = 32
  """Features per patch between the tokens and the latent vector."""
  dropout: UnitInterval = 0.0
  """Dropout probability."""
  scan_layers: bool = False
  """Compile one block for all layers of a stack."""
  dtype: DType = "auto"
  """Type of the computation; auto: bfloat16 where in hardware."""

  @property
  def margin(self) -> int:
    """Pixels by which a decoded patch reaches into each neighbor."""
    return round(self.overlap * self.patch_size)

  @property
  def decoded_size(self) -> int:
    """Side of a decoded patch in pixels."""
    return self.patch_size + 2 * self.margin

  def check(self, resolution: int) -> None:
    """Raise a UserError if the sizes do not fit the resolution."""
    check_patches(self.patch_size, resolution)
    pixels = self.overlap * self.patch_size
    if self.overlap > 0.5 or pixels != self.margin:
      raise UserError(
        f"model.overlap={self.overlap}: expected at most 0.5, and a whole "
        f"number of pixels, got {pixels:g} of {self.patch_size}."
      )
    grid = resolution // self.patch_size
    if any(b % a or a == b for a, b in itertools.pairwise(self.grids)):
      raise UserError(
        f"model.grids={self.grids}: expected each entry to be a larger "
        "multiple of the one before it."
      )
    if self.grids and grid not in self.grids:
      raise UserError(
        f"model.grids={self.grids}: expected to contain {grid}, the number of "
        f"patches of {self.patch_size} pixels per side at {resolution} pixels."
      )
    if self.width % self.heads:
      raise UserError(
        f"model.heads={self.heads} does not divide model.width={self.width}."
      )


@section("model")
class ConvAutoencoderConfig:
  """A residual convolutional autoencoder with spatial or vector latents."""

  smoke_images: ClassVar[int] = 960
  smoke: ClassVar[dict[str, Any]] = {
    "base_channels": 8,
    "multipliers": (1, 2),
    "downsampling_steps": 2,
    "num_res_blocks": 1,
    "head_dim": 8,
  }
  demo: ClassVar[dict[str, Any]] = {}

  name: Literal["conv_autoencoder"] = "conv_autoencoder"
  """Name of the network."""
  base_channels: PositiveInt = 64
  """Channels at full resolution."""
  multipliers: tuple[PositiveInt, ...] = (1, 2, 4)
  """Multiples of base_channels per level; the last repeats if needed."""
  downsampling_steps: PositiveInt = 3
  """Number of halvings: 3 reduce 512 pixels to 64."""
  num_res_blocks: PositiveInt = 2
  """Residual blocks per level."""
  attention: bool = False
  """Attention at the lowest resolution."""
  head_dim: PositiveInt = 64
  """Channels of an attention head."""
  latent_channels: PositiveInt = 4
  """Channels of a spatial latent."""
  latent_dim: NonNegativeInt = 0
  """Dimensions of a latent vector; 0: spatial latents."""
  variational: bool = False
  """Predict a Gaussian posterior of the latent: a VAE."""
  num_seg_classes: NonNegativeInt = 0
  """Pixel classes (data.masks) predicted by the decoder."""
  dropout: UnitInterval = 0.0
  """Dropout probability."""
  padding: Padding = "zeros"
  """circular: seamless tiles."""
  dtype: DType = "auto"
  """Type of the computation; auto: bfloat16 where in hardware."""

  @property
  def widths(self) -> list[int]:
    """Channels of each level, full resolution first."""
    last = len(self.multipliers) - 1
    levels = range(self.downsampling_steps + 1)
    return [self.base_channels * self.multipliers[min(i, last)] for i in levels]

  def check(self, resolution: int) -> None:
    """Raise a UserError if the sizes do not fit the resolution."""
    if not self.multipliers:
      raise UserError("model.multipliers=(): expected at least one entry.")
    if resolution % 2**self.downsampling_steps:
      raise UserError(
        f"model.downsampling_steps={self.downsampling_steps}: the resolution "
        f"{resolution} cannot be halved that often."
      )
    if any(width % 4 for width in self.widths):
      raise UserError(
        f"model.base_channels={self.base_channels}: expected the channels of "
        "every level to be a multiple of 4."
      )
    if self.attention and self.widths[-1] % self.head_dim:
      raise UserError(
        f"model.head_dim={self.head_dim} does not divide the "
        f"{self.widths[-1]} channels of the lowest level."
      )


ModelConfig = (
  PatchAutoencoderConfig
  | ConvAutoencoderConfig
  | KLAutoencoderConfig
  | UNetConfig
  | ProgressiveUNetConfig
  | MultiScaleUNetConfig
  | DDPMUNetConfig
  | SongUNetConfig
  | DiTConfig
  | MLPConfig
  | UpscalerConfig
)
MODELS: dict[str, type[ModelConfig]] = {
  "patch_autoencoder": PatchAutoencoderConfig,
  "conv_autoencoder": ConvAutoencoderConfig,
  "kl_autoencoder": KLAutoencoderConfig,
  "unet": UNetConfig,
  "progressive_unet": ProgressiveUNetConfig,
  "multiscale_unet": MultiScaleUNetConfig,
  "ddpm_unet": DDPMUNetConfig,
  "song_unet": SongUNetConfig,
  "dit": DiTConfig,
  "mlp": MLPConfig,
  **UPSCALERS,
}
