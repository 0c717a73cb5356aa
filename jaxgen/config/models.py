"""The section `model`: one class for each network.

`check(resolution)` raises a UserError where numbers do not fit together. Beside
the fields stand the sizes of the variants `smoke` (seconds on a CPU, with a run
of `smoke_images`) and `demo` (minutes).
"""

from __future__ import annotations

import itertools
from typing import Any, ClassVar, Literal

from jaxgen.config.fields import (
  NonNegativeInt,
  PositiveInt,
  UnitInterval,
  section,
)
from jaxgen.errors import UserError

DType = Literal["auto", "float32", "bfloat16"]
Padding = Literal["zeros", "circular"]


@section("model")
class PatchAutoencoderConfig:
  """A transformer on patches, from an image to a latent and back."""

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
  """The network."""
  patch_size: PositiveInt = 16
  """Side of a patch in pixels; must divide the resolution."""
  grids: tuple[PositiveInt, ...] = ()
  """Patches a side of stages with ever more patches, as (4, 8, 16)."""
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
  """One vector for the image, or one for each patch."""
  latent_dim: PositiveInt = 512
  """Dimensions of a latent vector."""
  patch_features: PositiveInt = 32
  """Features of a patch between the tokens and the latent vector."""
  dropout: UnitInterval = 0.0
  """Dropout probability."""
  scan_layers: bool = False
  """Compile one block for all layers of a stack."""
  dtype: DType = "auto"
  """Of the computation; auto: bfloat16 on GPU and TPU."""

  def check(self, resolution: int) -> None:
    """Raise a UserError where numbers do not fit the resolution."""
    _check_patches(self.patch_size, resolution)
    grid = resolution // self.patch_size
    if any(b % a or a == b for a, b in itertools.pairwise(self.grids)):
      raise UserError(
        f"model.grids={self.grids}: expected multiples of the entry before."
      )
    if self.grids and grid not in self.grids:
      raise UserError(
        f"model.grids={self.grids}: {resolution} pixels in patches of "
        f"{self.patch_size} are {grid} a side; add that."
      )
    if self.width % self.heads:
      raise UserError(
        f"model.heads={self.heads} does not divide model.width={self.width}."
      )


@section("model")
class ConvAutoencoderConfig:
  """Residual convolutions, from an image to a small one and back."""

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
  """The network."""
  base_channels: PositiveInt = 64
  """Channels of the outermost level."""
  multipliers: tuple[PositiveInt, ...] = (1, 2, 4)
  """Of base_channels, for each level; the last entry holds for the rest."""
  downsampling_steps: PositiveInt = 3
  """Halvings: 3 turn 512 pixels into 64."""
  num_res_blocks: PositiveInt = 2
  """Residual blocks of each level."""
  attention: bool = False
  """Attention at the bottom."""
  head_dim: PositiveInt = 64
  """Channels of an attention head."""
  latent_channels: PositiveInt = 4
  """Channels of latents that are small images."""
  latent_dim: NonNegativeInt = 0
  """0: latents are small images; else vectors of so many dimensions."""
  variational: bool = False
  """A Gaussian posterior for each latent number: a VAE."""
  num_seg_classes: NonNegativeInt = 0
  """Classes of pixels (data.masks) that the decoder predicts."""
  dropout: UnitInterval = 0.0
  """Dropout probability."""
  padding: Padding = "zeros"
  """circular: seamless tiles."""
  dtype: DType = "auto"
  """Of the computation; auto: bfloat16 on GPU and TPU."""

  @property
  def widths(self) -> list[int]:
    """Channels of each level, the outermost first."""
    last = len(self.multipliers) - 1
    levels = range(self.downsampling_steps + 1)
    return [self.base_channels * self.multipliers[min(i, last)] for i in levels]

  def check(self, resolution: int) -> None:
    """Raise a UserError where numbers do not fit the resolution."""
    if not self.multipliers:
      raise UserError("model.multipliers=(): expected at least one.")
    if resolution % 2**self.downsampling_steps:
      raise UserError(
        f"model.downsampling_steps={self.downsampling_steps} halvings do not "
        f"divide a resolution of {resolution}."
      )
    if any(width % 4 for width in self.widths):
      raise UserError(
        f"model.base_channels={self.base_channels}: expected multiples of 4."
      )
    if self.attention and self.widths[-1] % self.head_dim:
      raise UserError(
        f"model.head_dim={self.head_dim} does not divide the "
        f"{self.widths[-1]} channels of the bottom."
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
  """The network."""
  width: PositiveInt = 64
  """Base number of channels."""
  multipliers: tuple[PositiveInt, ...] = (1, 2, 2)
  """Of the width, for each level, the outermost first."""
  num_res_blocks: PositiveInt = 2
  """Residual blocks of each level on the way down; one more on the way up."""
  attention: tuple[bool, ...] = (False, True, False)
  """Attention at each level; the bottom always has it."""
  head_dim: PositiveInt = 64
  """Channels of an attention head."""
  dropout: UnitInterval = 0.0
  """Dropout probability."""
  padding: Padding = "zeros"
  """circular: seamless tiles."""
  dtype: DType = "auto"
  """Of the computation; auto: bfloat16 on GPU and TPU."""

  def check(self, resolution: int) -> None:
    """Raise a UserError where numbers do not fit the resolution."""
    if len(self.attention) != len(self.multipliers):
      raise UserError(
        "model.attention and model.multipliers: expected one entry a level."
      )
    if resolution % 2 ** (len(self.multipliers) - 1):
      raise UserError(
        f"model.multipliers: {len(self.multipliers)} levels cannot halve a "
        f"resolution of {resolution}."
      )
    if any(self.width * m % 4 for m in self.multipliers):
      raise UserError(f"model.width={self.width}: expected a multiple of 4.")
    attended = (*self.attention[:-1], True)
    levels = zip(self.multipliers, attended, strict=True)
    if any(a and self.width * m % self.head_dim for m, a in levels):
      raise UserError(
        f"model.head_dim={self.head_dim} does not divide the channels of every "
        "level with attention (the bottom always has it)."
      )


@section("model")
class ProgressiveUNetConfig(UNetConfig):
  """A U-Net that grows with the stages of its run."""

  name: Literal["progressive_unet"] = "progressive_unet"  # pyright: ignore
  """The network."""
  resolutions: tuple[PositiveInt, ...] = (32, 64, 96, 128)
  """Resolutions; the first one is the core's."""
  outer_width: PositiveInt = 32
  """Channels of the levels around the core."""
  outer_num_res_blocks: PositiveInt = 1
  """Residual blocks of each such level, on the way up."""

  def check(self, resolution: int) -> None:
    """Raise a UserError where numbers do not fit the resolution."""
    known = self.resolutions
    if not known or list(known) != sorted(set(known)):
      raise UserError(f"model.resolutions={known}: expected rising sizes.")
    if resolution not in known:
      raise UserError(
        f"model.resolutions={known}: a resolution of {resolution} is not there."
      )
    super().check(known[0])


@section("model")
class MultiScaleUNetConfig(UNetConfig):
  """A U-Net that sees the image at several sizes at once."""

  name: Literal["multiscale_unet"] = "multiscale_unet"  # pyright: ignore
  """The network."""
  scales: tuple[PositiveInt, ...] = (32, 64, 96, 128)
  """Sizes, sides in pixels."""
  scale_width: PositiveInt = 32
  """Channels of each."""


@section("model")
class DiTConfig:
  """A transformer on patches, the faster one where matrix products are."""

  smoke_images: ClassVar[int] = 960
  smoke: ClassVar[dict[str, Any]] = {"width": 32, "heads": 2, "depth": 1}
  demo: ClassVar[dict[str, Any]] = {"width": 192}  # 4 million parameters

  name: Literal["dit"] = "dit"
  """The network."""
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
  scan_layers: bool = False
  """Compile one block for all layers."""
  dtype: DType = "auto"
  """Of the computation; auto: bfloat16 on GPU and TPU."""

  def check(self, resolution: int) -> None:
    """Raise a UserError where numbers do not fit the resolution."""
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
