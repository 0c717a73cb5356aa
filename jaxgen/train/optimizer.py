"""Optimizers at learning rate 1.

`train.step` multiplies the learning rate in, which is that of `train.schedule`
and, where held-out metrics stand still, of `train.plateau`.
"""

from __future__ import annotations

import jax
import optax

from jaxgen.config.optimizer import OptimizerConfig
from jaxgen.typing import Params

DIMENSIONS = optax.contrib.MuonDimensionNumbers


def is_matrix(path, leaf) -> bool:
  """Kernels of dense layers and convolutions: what Muon orthogonalizes and
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


def build(config: OptimizerConfig) -> optax.GradientTransformation:
  """Clip, then Muon (arXiv:2502.16982; AdamW for what is no matrix) or AdamW.

  Updates have learning rate 1; weight decay falls on matrices alone.
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
