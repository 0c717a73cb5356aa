"""The section `diffusion`: noise levels and conditions of denoisers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from jaxgen.config.fields import (
  Float,
  Positive,
  PositiveInt,
  UnitInterval,
  section,
)
from jaxgen.errors import UserError

Range = tuple[Positive, Positive]  # lowest and highest


@section("diffusion")
class DiffusionConfig:
  """Noise levels and conditions of a denoiser (EDM, arXiv:2206.00364)."""

  target: Literal["image", "residual"] = "image"
  """residual: what the hint lacks of the image, scaled to a standard deviation
  of sigma_data; hint.kind=reconstruction or lowres."""
  sigma_data: Positive = 0.5
  """Standard deviation of the images."""
  noise_distribution: Literal["log_normal", "log_uniform"] = "log_normal"
  """Distribution of sigma in training; log_uniform: sigma_min to sigma_max."""
  P_mean: Annotated[Float, Field(ge=-10, le=10)] = -1.2
  """log_normal: mean of log sigma."""
  P_std: Positive = 1.2
  """log_normal: standard deviation of log sigma."""
  sigma_min: Positive = 0.002
  """Noise level at which samplers end."""
  sigma_max: Positive = 80.0
  """Noise level at which samplers start."""
  conditions: tuple[str, ...] = ()
  """Conditions, from the data: label, or names of attributes."""
  cond_drop_prob: UnitInterval = 0.2
  """Fraction of images with some conditions dropped in training."""
  uncertainty: bool = False
  """Learn the loss weight of each noise level (arXiv:2312.02696)."""
  noise_map: bool = False
  """Train for noise of uneven levels, told to the network as a map: that of a
  sensor, smooth fields, and even noise."""
  photons: Range = (2.0, 1_000.0)
  """noise_map: lowest and highest number of electrons of white in training."""
  background: Range = (0.3, 3.0)
  """noise_map: lowest and highest background in training, in electrons."""
  read_noise: Range = (0.3, 3.0)
  """noise_map: lowest and highest read noise in training, in electrons."""
  sensor_condition: bool = False
  """noise_map: tell the network three numbers of the sensor too: log scale,
  read noise / scale, background / scale (scale: electrons for one unit of the
  image, half of white). Nothing has been measured that they add to the map."""
  preview_steps: PositiveInt = 12
  """Steps of Heun's method in previews."""

  def __post_init__(self):
    if self.sigma_min >= self.sigma_max:
      raise UserError(
        f"diffusion.sigma_min={self.sigma_min}: expected less than "
        f"diffusion.sigma_max={self.sigma_max}."
      )
    if self.sensor_condition and not self.noise_map:
      raise UserError(
        "diffusion.sensor_condition=True: expected diffusion.noise_map=True."
      )
    if self.sensor_condition and "sensor" in self.conditions:
      raise UserError(
        "diffusion.conditions: 'sensor' is the name of"
        " diffusion.sensor_condition."
      )
    for name in ("photons", "background", "read_noise"):
      low, high = getattr(self, name)
      if low > high:
        raise UserError(
          f"diffusion.{name}=({low}, {high}): expected the lowest first."
        )
