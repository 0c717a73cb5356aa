"""The section `model` of denoisers; see `jaxgen.config.models`."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from jaxgen.config.fields import Positive, PositiveInt, UnitInterval, section
from jaxgen.config.networks import DType, Padding, check_patches
from jaxgen.errors import UserError


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
    check_patches(self.patch_size, resolution)
    if self.width % self.heads or self.width % 4:
      raise UserError(
        f"model.width={self.width}: expected a multiple of 4 and of "
        f"model.heads={self.heads}."
      )


@section("model")
class MLPConfig:
  """Residual blocks of two layers, for latents that are vectors."""

  smoke_images: ClassVar[int] = 960
  smoke: ClassVar[dict[str, Any]] = {"width": 32, "depth": 1}
  demo: ClassVar[dict[str, Any]] = {}  # 8 million parameters

  name: Literal["mlp"] = "mlp"
  """Name of the network."""
  width: PositiveInt = 512
  """Features of a block; an even number."""
  depth: PositiveInt = 4
  """Blocks."""
  mlp_ratio: PositiveInt = 2
  """Hidden features of a block, as a multiple of the width."""
  dropout: UnitInterval = 0.0
  """Dropout probability."""
  time_frequency: Positive = 16.0
  """Highest frequency of the features of the noise level, ln(sigma) / 4."""
  dtype: DType = "auto"
  """Type of the computation; auto: bfloat16 where in hardware."""

  def check(self, resolution: int) -> None:
    """Raise a UserError unless a state is a vector, with a side of 1."""
    if resolution != 1:
      raise UserError("model.name=mlp: expected latents that are vectors.")
    if self.width % 2:
      raise UserError(f"model.width={self.width}: expected an even number.")
