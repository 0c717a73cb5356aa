"""The section `model` of DDPM's U-Net; see `jaxgen.config.models`."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from jaxgen.config.fields import (
  NonNegativeInt,
  Positive,
  PositiveInt,
  UnitInterval,
  section,
)
from jaxgen.config.networks import (
  DType,
  check_attention,
  check_divides,
  check_halvings,
)
from jaxgen.errors import UserError


@section("model")
class DDPMUNetConfig:
  """The U-Net of DDPM, which predicts the noise; diffusers' UNet2DModel."""

  smoke_images: ClassVar[int] = 320
  smoke: ClassVar[dict[str, Any]] = {
    "widths": (8, 16),
    "attention": (False, True),
    "num_res_blocks": 1,
    "norm_groups": 4,
  }
  demo: ClassVar[dict[str, Any]] = {}

  name: Literal["ddpm_unet"] = "ddpm_unet"
  """Name of the network."""
  widths: tuple[PositiveInt, ...] = (128, 256, 256, 256)
  """Channels of each level, full resolution first; each level halves it."""
  num_res_blocks: PositiveInt = 2
  """Residual blocks per level of the encoder; the decoder has one more."""
  attention: tuple[bool, ...] = (False, True, False, False)
  """Attention after each block of a level."""
  middle_attention: bool = True
  """Attention between the blocks at the bottom."""
  head_dim: NonNegativeInt = 0
  """Channels of an attention head; 0: one head."""
  norm_groups: PositiveInt = 32
  """Groups of group norms; must divide the channels of every level."""
  norm_epsilon: Positive = 1e-6
  """Added to the variances of group norms."""
  asymmetric_padding: bool = True
  """Downsampling with zeros at the right and bottom only, else on all sides."""
  cosines_first: bool = False
  """The order of the features of the time."""
  frequency_shift: Literal[0, 1] = 1
  """1: the lowest frequency of the time is 1e-4; 0: it is not reached."""
  dropout: UnitInterval = 0.0
  """Dropout probability."""
  dtype: DType = "auto"
  """Type of the computation; auto: bfloat16 where in hardware."""

  def __post_init__(self):
    check_attention(self.attention, self.widths)
    if self.widths[0] < 4 or self.widths[0] % 2:
      raise UserError(
        f"model.widths={self.widths}: expected an even first number >= 4."
      )

  def check(self, resolution: int) -> None:
    """Raise a UserError if the sizes do not fit the resolution."""
    check_halvings(self.widths, resolution)
    for name in ("norm_groups", "head_dim"):
      check_divides(name, getattr(self, name), self.widths)
