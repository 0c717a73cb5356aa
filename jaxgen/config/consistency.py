"""The section `consistency`: few-step models, tuned from a denoiser."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from jaxgen.config.fields import (
  ClosedUnit,
  Float,
  NonNegative,
  NonNegativeInt,
  Positive,
  PositiveInt,
  section,
)
from jaxgen.errors import UserError

LEAST_GAP = 1e-4  # in float32 the difference of smaller ones is rounding


@section("consistency")
class ConsistencyConfig:
  """A model that samples in one or a few calls, tuned from a denoiser
  (train.init_from)."""

  method: Literal["ect", "mean_flow"] = "ect"
  """ect: a consistency function by easy consistency tuning (arXiv:2406.14548);
  mean_flow: average velocities between two noise levels (arXiv:2505.13447)."""
  level_mean: Annotated[Float, Field(ge=-10, le=10)] = -1.1
  """Mean of log sigma in training."""
  level_std: Positive = 2.0
  """Standard deviation of log sigma in training."""
  factor: Annotated[Float, Field(gt=1, allow_inf_nan=False)] = 2.0
  """ect: factor by which the relative gap between the two noise levels of an
  image shrinks at each step of the curriculum."""
  curriculum: PositiveInt = 8
  """ect: number of steps of the curriculum; the last gap is
  factor^-curriculum, which makes samples by one call narrower than the data
  (jaxgen doctor)."""
  steepness: NonNegative = 8.0
  """ect: k of the gap, which is larger by a factor 1 + k sigmoid(-sigma)."""
  huber: NonNegative = 0.0
  """ect: constant of the pseudo-Huber distance, in units of the square root of
  the numbers of an image; 0: Euclidean distance."""
  equal_fraction: ClosedUnit = 0.75
  """mean_flow: fraction of images whose two noise levels are equal, where the
  loss is that of a denoiser."""
  power: ClosedUnit = 0.75
  """mean_flow: p of the weight 1 / (loss + 0.01)^p of an image."""
  second_sigma: Positive = 0.8
  """Noise level of the last call of samplers with two calls or more."""
  pretrain_images: NonNegativeInt = 0
  """Images at the start on which the model is trained as a denoiser, for runs
  without train.init_from."""

  def __post_init__(self):
    if self.factor**-self.curriculum < LEAST_GAP:
      raise UserError(
        f"consistency.factor={self.factor} and consistency.curriculum="
        f"{self.curriculum}: expected a last gap factor^-curriculum of at least"
        f" {LEAST_GAP}."
      )
