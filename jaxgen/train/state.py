"""The training state."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.config.optimizer import OptimizerConfig
from jaxgen.tasks.task import Task
from jaxgen.train import optimizer, plateau
from jaxgen.typing import Array, Params


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainState:
  """All of a run that changes, but for its place in the data.

  Attributes:
    step: uint32, finished updates, skipped ones included.
    images: uint32, images seen.
    skipped: uint32, updates left out because they were not finite.
    params: parameters.
    ema: their exponential moving average, which samplers use.
    opt_state: of the optimizer.
    ema_profiles: power-function EMAs, by their sigma_rel.
    control: of the loss's weights and of the rate's plateaus.
  """

  step: Array
  images: Array
  skipped: Array
  params: Params
  ema: Params
  opt_state: Any
  ema_profiles: dict[str, Params]
  control: dict[str, Any]


def initial_state(
  task: Task, config: OptimizerConfig, key: Array
) -> TrainState:
  """The state at step 0; all EMAs start from the parameters."""
  params = task.init(key)
  zero = jnp.zeros((), jnp.uint32)
  copy = lambda: jax.tree.map(jnp.copy, params)  # noqa: E731
  control = plateau.initial_control(config)
  if task.controller:
    control["loss"] = task.controller.initial_state()
  return TrainState(
    step=zero,
    images=zero,
    skipped=zero,
    params=params,
    ema=copy(),
    opt_state=optimizer.build(config).init(params),
    ema_profiles={str(x): copy() for x in config.ema_sigma_rels},
    control=control,
  )


def is_finite(state: TrainState) -> Array:
  """Whether every number of a state is finite, as a boolean scalar."""
  leaves = [jnp.isfinite(x).all() for x in jax.tree.leaves(state)]
  return jnp.stack(leaves).all()


def to_trees(state: TrainState) -> dict[str, Any]:
  """The state as checkpoints hold it: `ema` apart, so that samplers read
  nothing else, and no entry for what is empty."""
  tree = dict(vars(state))
  ema = tree.pop("ema")
  for name in ("ema_profiles", "control"):
    if not tree[name]:
      del tree[name]
  return {"state": tree, "ema": ema}


def from_trees(trees: Mapping[str, Any]) -> TrainState:
  """The state out of the trees of a checkpoint."""
  empty: dict[str, Any] = {"ema_profiles": {}, "control": {}}
  return TrainState(**(empty | trees["state"]), ema=trees["ema"])
