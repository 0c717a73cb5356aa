"""The section `optimizer`: update rule, learning rate, EMA of weights."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from jaxgen.config.fields import (
  Float,
  NonNegative,
  NonNegativeInt,
  OpenUnit,
  Positive,
  UnitInterval,
  section,
)

SigmaRel = Annotated[Float, Field(ge=0.001, le=0.28)]  # arXiv:2312.02696


@section("optimizer")
class OptimizerConfig:
  """The update rule, its learning rate, and EMAs of the weights."""

  name: Literal["muon", "adamw"] = "muon"
  """Muon (with AdamW for parameters that are not matrices), or AdamW."""
  learning_rate: Positive = 0.02
  """Learning rate; a good value for AdamW is about 0.001."""
  adam_learning_rate: Positive = 0.02
  """Muon: learning rate of biases, gains and positions."""
  schedule: Literal["warmup_cosine", "stage_cosine", "constant"] = (
    "warmup_cosine"
  )
  """One cosine over the run, one per stage, or constant."""
  warmup_images: NonNegativeInt = 10_000
  """Images of linear warm-up."""
  weight_decay: NonNegative = 0.0
  """Weight decay of matrices, multiplied by the learning rate."""
  b1: UnitInterval = 0.9
  """Decay of the first moment."""
  b2: UnitInterval = 0.99
  """Decay of the second moment."""
  clip_norm: NonNegative = 1.0
  """Maximum global norm of the gradient; 0: off."""
  ema_halflife: NonNegativeInt = 10_000
  """Half-life of the weights' EMA in images; 0: samplers use raw weights."""
  ema_ramp: Positive = 0.05
  """The half-life is at most this fraction of the images seen."""
  plateau_patience: NonNegativeInt = 0
  """Evaluations without improvement before the rate is reduced; 0: never."""
  plateau_factor: OpenUnit = 0.5
  """Factor of the learning rate at each reduction."""
  plateau_tolerance: Positive = 0.01
  """Smallest change that counts as an improvement, in dB."""
  ema_sigma_rels: tuple[SigmaRel, ...] = ()
  """Relative widths of power-function EMA profiles kept for `jaxgen ema`."""
