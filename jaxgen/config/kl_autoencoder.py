"""The section `model` of the autoencoder of latent diffusion; see
`jaxgen.config.models`."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from jaxgen.config.fields import Finite, Positive, PositiveInt, section
from jaxgen.config.networks import DType, check_divides, check_halvings
from jaxgen.errors import UserError


@section("model")
class KLAutoencoderConfig:
  """The autoencoder of latent diffusion; diffusers' AutoencoderKL."""

  smoke_images: ClassVar[int] = 960
  smoke: ClassVar[dict[str, Any]] = {
    "widths": (8, 16),
    "num_res_blocks": 1,
    "norm_groups": 4,
  }
  demo: ClassVar[dict[str, Any]] = {}

  name: Literal["kl_autoencoder"] = "kl_autoencoder"
  """Name of the network."""
  widths: tuple[PositiveInt, ...] = (128, 256, 512, 512)
  """Channels of each level, full resolution first; each level halves it."""
  num_res_blocks: PositiveInt = 2
  """Residual blocks per level of the encoder; the decoder has one more."""
  latent_channels: PositiveInt = 4
  """Channels of a latent."""
  norm_groups: PositiveInt = 32
  """Groups of group norms; must divide the channels of every level."""
  attention: bool = True
  """Attention at the lowest resolution."""
  quant_conv: bool = True
  """A 1 x 1 convolution after the encoder."""
  post_quant_conv: bool = True
  """A 1 x 1 convolution before the decoder."""
  latent_mean: tuple[Finite, ...] = ()
  """Mean of the latents by which they are normalized, per channel; (): 0."""
  latent_std: tuple[Positive, ...] = ()
  """Standard deviation, likewise; (): 1."""
  dtype: DType = "auto"
  """Type of the computation; auto: bfloat16 where in hardware."""

  def __post_init__(self):
    if not self.widths:
      raise UserError("model.widths=(): expected at least one entry.")
    for name in ("latent_mean", "latent_std"):
      if len(getattr(self, name)) not in (0, self.latent_channels):
        raise UserError(
          f"model.{name}={getattr(self, name)}: expected () or one number for"
          f" each of the {self.latent_channels} latent channels."
        )

  def check(self, resolution: int) -> None:
    """Raise a UserError if the sizes do not fit the resolution."""
    check_halvings(self.widths, resolution)
    check_divides("norm_groups", self.norm_groups, self.widths)
