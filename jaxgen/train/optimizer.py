"""Optimizers at learning rate 1: `train.state` multiplies the rate in, which
is `pace`'s and, where held-out metrics stand still, that of `plateau`."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

import jax
import optax

from jaxgen.config.fields import (
  NonNegative,
  NonNegativeInt,
  OpenUnit,
  Options,
  Positive,
  Range,
  UnitInterval,
)
from jaxgen.typing import Params

SigmaRel = Annotated[float, Range(0.001, 0.28)]  # width of an EMA profile

DIMENSIONS = optax.contrib.MuonDimensionNumbers


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimizerOptions(Options, section="optimizer"):
  """Everything under `optimizer` in a config; see `jaxgen.config.defaults`."""

  name: Literal["muon", "adamw"]
  learning_rate: Positive
  adam_learning_rate: Positive
  schedule: Literal["warmup_cosine", "stage_cosine", "constant"]  # see `pace`
  warmup_images: NonNegativeInt
  weight_decay: NonNegative
  b1: UnitInterval
  b2: UnitInterval
  clip_norm: NonNegative
  ema_halflife: NonNegativeInt
  ema_ramp: Positive
  ema_lengths: tuple[SigmaRel, ...] = ()
  plateau_patience: NonNegativeInt = 0
  plateau_factor: OpenUnit = 0.5
  plateau_tolerance: Positive = 0.01


def is_matrix(path, leaf) -> bool:
  """Kernels of dense layers and convolutions: what Muon orthogonalises and
  weight decay shrinks.

  Scanned layers carry one more axis in front.
  """
  return path[-1].key == "kernel" and leaf.ndim >= 2


def matrices(params: Params) -> Params:
  """A tree of booleans like `params`: which leaves are matrices."""
  return jax.tree_util.tree_map_with_path(is_matrix, params)


def _muon_axes(params: Params) -> Params:
  """How Muon sees each leaf: the kernel of a convolution `(h, w, in, out)` as
  one matrix of `h * w * in` rows."""

  def axes(path, x):
    rows = (0, 1, 2) if x.ndim == 4 else x.ndim - 2
    return DIMENSIONS(rows, x.ndim - 1) if is_matrix(path, x) else None

  return jax.tree_util.tree_map_with_path(axes, params)


def build(options: OptimizerOptions) -> optax.GradientTransformation:
  """Clip, then Muon (arXiv:2502.16982; AdamW for what is no matrix) or AdamW.

  Updates have learning rate 1; weight decay falls on matrices alone.
  """
  o = options
  decay = o.weight_decay
  if o.name == "adamw":
    rule = optax.adamw(1.0, b1=o.b1, b2=o.b2, weight_decay=decay, mask=matrices)
  else:
    rule = optax.contrib.muon(
      1.0,
      adam_b1=o.b1,
      adam_b2=o.b2,
      weight_decay=decay,
      adam_learning_rate=o.adam_learning_rate / o.learning_rate,
      muon_weight_dimension_numbers=_muon_axes,
    )
  clip = optax.clip_by_global_norm(o.clip_norm or float("inf"))
  return optax.chain(clip, rule)
