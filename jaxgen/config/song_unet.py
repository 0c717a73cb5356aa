"""The section `model` of EDM's U-Net; see `jaxgen.config.models`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from jaxgen.config.fields import PositiveInt, UnitInterval, section
from jaxgen.config.networks import DType, check_attention, check_halvings
from jaxgen.errors import UserError


@section("model")
class SongUNetConfig:
  """EDM's U-Net `ddpmpp`, with the weights of its pickles; for new trainings
  `unet` is its successor."""

  smoke_images: ClassVar[int] = 320
  smoke: ClassVar[dict[str, Any]] = {
    "width": 8,
    "multipliers": (1, 2),
    "attention": (False, True),
    "num_res_blocks": 1,
  }
  demo: ClassVar[dict[str, Any]] = {}

  name: Literal["song_unet"] = "song_unet"
  """Name of the network."""
  width: Annotated[PositiveInt, Field(multiple_of=4, ge=4)] = 128
  """Channels at full resolution, times the first of `multipliers`; the
  embedding of the noise level has four times as many."""
  multipliers: tuple[PositiveInt, ...] = (2, 2, 2)
  """Channels of each level over `width`, full resolution first; each level
  halves it."""
  num_res_blocks: PositiveInt = 4
  """Residual blocks per level of the encoder; the decoder has one more."""
  attention: tuple[bool, ...] = (False, True, False)
  """Attention after each block of a level of the encoder, and after the last
  block of a level of the decoder."""
  dropout: UnitInterval = 0.13
  """Dropout probability."""
  dtype: DType = "auto"
  """Type of the computation; auto: bfloat16 where in hardware."""

  def __post_init__(self):
    check_attention(self.attention, self.multipliers, name="multipliers")
    if self.width % 32 and 2 * self.width * max(self.multipliers) > 128:
      raise UserError(
        f"model.width={self.width}: expected a multiple of 32, the number of"
        " groups of group norms."
      )

  def check(self, resolution: int) -> None:
    """Raise a UserError if the sizes do not fit the resolution."""
    check_halvings(self.multipliers, resolution, name="multipliers")
