"""Optimizers at learning rate 1.

`train.step` multiplies their updates by the learning rate, from
`train.schedule` and `train.plateau`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import jax
import optax

from jaxgen.config.optimizer import OptimizerConfig
from jaxgen.typing import Params

DIMENSIONS = optax.contrib.MuonDimensionNumbers


def is_matrix(path, leaf) -> bool:
  """Whether a leaf is the kernel of a dense layer or convolution, to which Muon
  and weight decay apply.

  Scanned layers have an additional leading axis.
  """
  return path[-1].key == "kernel" and leaf.ndim >= 2


def matrices(params: Params) -> Params:
  """A tree like `params` of booleans: whether each leaf is a matrix."""
  return jax.tree_util.tree_map_with_path(is_matrix, params)


def _muon_axes(params: Params) -> Params:
  """The axes of each leaf for Muon: the kernel of a convolution `(h, w, in,
  out)` is a matrix of `h * w * in` rows."""

  def axes(path, x):
    rows = (0, 1, 2) if x.ndim == 4 else x.ndim - 2
    return DIMENSIONS(rows, x.ndim - 1) if is_matrix(path, x) else None

  return jax.tree_util.tree_map_with_path(axes, params)


def build(
  config: OptimizerConfig, rate_factors: Sequence[tuple[str, float]] = ()
) -> optax.GradientTransformation:
  """The optimizer of a config; of players, one for each.

  Args:
    config: options of the optimizer.
    rate_factors: names of the players and factors of their rate; they are trees
      at the top of the parameters: each has its own moments and clipping.
  """
  if not rate_factors:
    return _build(config)
  players: dict[Hashable, optax.GradientTransformation] = {
    name: optax.chain(_build(config), optax.scale(factor))
    for name, factor in rate_factors
  }
  return optax.partition(players, {name: name for name in players})


def _build(config: OptimizerConfig) -> optax.GradientTransformation:
  """Clipping, then Muon (arXiv:2502.16982; AdamW for other leaves) or AdamW.

  Updates have learning rate 1; weight decay applies to matrices only.
  """
  o = config
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
