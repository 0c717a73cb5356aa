"""The section `optimizer`: update rule, learning rate, averages of weights."""

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
  """The update rule, its learning rate, and averages of the weights."""

  name: Literal["muon", "adamw"] = "muon"
  """Muon (AdamW for what is no matrix), or AdamW."""
  learning_rate: Positive = 0.02
  """Learning rate of Muon; AdamW wants about 0.001."""
  adam_learning_rate: Positive = 0.02
  """Muon: learning rate of biases, gains and positions."""
  schedule: Literal["warmup_cosine", "stage_cosine", "constant"] = (
    "warmup_cosine"
  )
  """One cosine over the run, one in each stage, or constant."""
  warmup_images: NonNegativeInt = 10_000
  """Images of linear warm-up."""
  weight_decay: NonNegative = 0.0
  """Weight decay of matrices, times the learning rate."""
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
  """Factor of such a reduction."""
  plateau_tolerance: Positive = 0.01
  """Improvement that counts, in dB."""
  ema_sigma_rels: tuple[SigmaRel, ...] = ()
  """Widths sigma_rel of power-function EMA profiles kept for `jaxgen ema`."""
