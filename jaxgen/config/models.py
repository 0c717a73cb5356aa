"""The section `model`: one class for each network.

`check(resolution)` raises a UserError if the sizes are inconsistent. `smoke`
and `demo` are the sizes of those variants: `smoke` runs in seconds on a CPU,
with `smoke_images` images, `demo` in minutes.
"""

from __future__ import annotations

import itertools
from typing import Any, ClassVar, Literal

from jaxgen.config.fields import (
  NonNegativeInt,
  Positive,
  PositiveInt,
  UnitInterval,
  section,
)
from jaxgen.errors import UserError

DType = Literal["auto", "float32", "bfloat16"]
Padding = Literal["zeros", "circular"]


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
    _check_patches(self.patch_size, resolution)
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


@section("model")
class UNetConfig:
  """The U-Net of EDM and DDPM++."""

  smoke_images: ClassVar[int] = 320
  smoke: ClassVar[dict[str, Any]] = {
    "width": 8,
    "multipliers": (1, 2),
    "attention": (False, True),
    "num_res_blocks": 1,
    "head_dim": 8,
  }
  demo: ClassVar[dict[str, Any]] = {  # 1.4 million parameters
    "width": 32,
    "num_res_blocks": 1,
    "head_dim": 32,
  }

  name: Literal["unet"] = "unet"
  """Name of the network."""
  width: PositiveInt = 64
  """Base number of channels."""
  multipliers: tuple[PositiveInt, ...] = (1, 2, 2)
  """Multiples of the width per level, full resolution first."""
  num_res_blocks: PositiveInt = 2
  """Residual blocks per level of the encoder; the decoder has one more."""
  attention: tuple[bool, ...] = (False, True, False)
  """Attention per level; the lowest level always has it."""
  head_dim: PositiveInt = 64
  """Channels of an attention head."""
  dropout: UnitInterval = 0.0
  """Dropout probability."""
  time_frequency: Positive = 1000.0
  """Highest frequency of the features of the noise level, ln(sigma) / 4."""
  padding: Padding = "zeros"
  """circular: seamless tiles."""
  dtype: DType = "auto"
  """Type of the computation; auto: bfloat16 where in hardware."""

  def check(self, resolution: int) -> None:
    """Raise a UserError if the sizes do not fit the resolution."""
    if len(self.attention) != len(self.multipliers):
      raise UserError(
        "model.attention and model.multipliers: expected one entry per level, "
        f"got {len(self.attention)} and {len(self.multipliers)}."
      )
    if resolution % 2 ** (len(self.multipliers) - 1):
      raise UserError(
        f"model.multipliers: the resolution {resolution} cannot be halved for "
        f"{len(self.multipliers)} levels."
      )
    if any(self.width * m % 4 for m in self.multipliers):
      raise UserError(f"model.width={self.width}: expected a multiple of 4.")
    attended = (*self.attention[:-1], True)
    levels = zip(self.multipliers, attended, strict=True)
    if any(a and self.width * m % self.head_dim for m, a in levels):
      raise UserError(
        f"model.head_dim={self.head_dim} does not divide the channels of every "
        "level with attention (the lowest always has it)."
      )


@section("model")
class ProgressiveUNetConfig(UNetConfig):
  """A U-Net that grows with the stages of its run."""

  name: Literal["progressive_unet"] = "progressive_unet"  # pyright: ignore
  """Name of the network."""
  resolutions: tuple[PositiveInt, ...] = (32, 64, 96, 128)
  """Resolutions, increasing; the first is that of the core U-Net."""
  outer_width: PositiveInt = 32
  """Channels of the levels around the core."""
  outer_num_res_blocks: PositiveInt = 1
  """Residual blocks per outer level, in the decoder."""

  def check(self, resolution: int) -> None:
    """Raise a UserError if the sizes do not fit the resolution."""
    known = self.resolutions
    if not known or list(known) != sorted(set(known)):
      raise UserError(f"model.resolutions={known}: expected increasing sizes.")
    if resolution not in known:
      raise UserError(
        f"model.resolutions={known}: expected to contain the resolution "
        f"{resolution}."
      )
    super().check(known[0])


@section("model")
class MultiScaleUNetConfig(UNetConfig):
  """A U-Net that processes the image at several sizes at once."""

  name: Literal["multiscale_unet"] = "multiscale_unet"  # pyright: ignore
  """Name of the network."""
  scales: tuple[PositiveInt, ...] = (32, 64, 96, 128)
  """Sides of the image in pixels, one per scale."""
  scale_width: PositiveInt = 32
  """Channels of each scale."""


@section("model")
class DiTConfig:
  """A transformer on patches; fast on hardware for matrix products."""

  smoke_images: ClassVar[int] = 960
  smoke: ClassVar[dict[str, Any]] = {"width": 32, "heads": 2, "depth": 1}
  demo: ClassVar[dict[str, Any]] = {"width": 192}  # 4 million parameters

  name: Literal["dit"] = "dit"
  """Name of the network."""
  patch_size: PositiveInt = 4
  """Side of a patch in pixels; must divide the resolution."""
  width: PositiveInt = 256
  """Features of a token."""
  depth: PositiveInt = 6
  """Blocks."""
  heads: PositiveInt = 4
  """Attention heads; must divide the width."""
  mlp_ratio: PositiveInt = 4
  """Hidden features of an MLP, as a multiple of the width."""
  dropout: UnitInterval = 0.0
  """Dropout probability."""
  time_frequency: Positive = 1000.0
  """Highest frequency of the features of the noise level, ln(sigma) / 4."""
  scan_layers: bool = False
  """Compile one block for all layers."""
  dtype: DType = "auto"
  """Type of the computation; auto: bfloat16 where in hardware."""

  def check(self, resolution: int) -> None:
    """Raise a UserError if the sizes do not fit the resolution."""
    _check_patches(self.patch_size, resolution)
    if self.width % self.heads or self.width % 4:
      raise UserError(
        f"model.width={self.width}: expected a multiple of 4 and of "
        f"model.heads={self.heads}."
      )


def _check_patches(patch_size: int, resolution: int) -> None:
  if resolution % patch_size:
    raise UserError(
      f"model.patch_size={patch_size} does not divide the resolution "
      f"{resolution}."
    )


ModelConfig = (
  PatchAutoencoderConfig
  | ConvAutoencoderConfig
  | UNetConfig
  | ProgressiveUNetConfig
  | MultiScaleUNetConfig
  | DiTConfig
)
MODELS: dict[str, type[ModelConfig]] = {
  "patch_autoencoder": PatchAutoencoderConfig,
  "conv_autoencoder": ConvAutoencoderConfig,
  "unet": UNetConfig,
  "progressive_unet": ProgressiveUNetConfig,
  "multiscale_unet": MultiScaleUNetConfig,
  "dit": DiTConfig,
}
