"""The train state, and its form in checkpoints."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.config.optimizer import OptimizerConfig
from jaxgen.tasks.space import Frozen
from jaxgen.tasks.task import Task
from jaxgen.train import optimizer, plateau
from jaxgen.typing import Array, Params


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainState:
  """The mutable state of a run, except for its position in the data.

  Attributes:
    step: uint32, finished updates, including skipped ones.
    images: uint32, images seen.
    skipped: uint32, updates skipped because they were not finite.
    params: parameters.
    ema: exponential moving average of the parameters that samplers use.
    opt_state: state of the optimizer.
    ema_profiles: power-function EMAs, by their sigma_rel.
    control: state of the loss controller and of the plateau rule.
    frozen: parameters that the loss uses but training does not change, by name;
      checkpoints do not contain them.
  """

  step: Array
  images: Array
  skipped: Array
  params: Params
  ema: Params
  opt_state: Any
  ema_profiles: dict[str, Params]
  control: dict[str, Any]
  frozen: dict[str, Params] = dataclasses.field(default_factory=dict)


def initial_state(
  task: Task, config: OptimizerConfig, key: Array, frozen: Frozen | None = None
) -> TrainState:
  """The state at step 0, without frozen parameters; all EMAs start from the
  parameters, and these from frozen ones where the task says so."""
  params = task.init(key)
  if task.begin is not None and frozen is not None:
    params = task.begin(params, frozen)
  zero = jnp.zeros((), jnp.uint32)
  copy = lambda: jax.tree.map(jnp.copy, task.sampled(params))  # noqa: E731
  control = plateau.initial_control(config)
  if task.controller:
    control["loss"] = task.controller.initial_state()
  return TrainState(
    step=zero,
    images=zero,
    skipped=zero,
    params=params,
    ema=copy(),
    opt_state=optimizer.build(config, task.rate_factors).init(params),
    ema_profiles={str(x): copy() for x in config.ema_sigma_rels},
    control=control,
  )


def is_finite(state: TrainState) -> Array:
  """Whether all numbers of a state are finite, as a boolean scalar."""
  leaves = [jnp.isfinite(x).all() for x in jax.tree.leaves(state)]
  return jnp.stack(leaves).all()


def to_trees(state: TrainState) -> dict[str, Any]:
  """The trees of a checkpoint: `ema` is separate, so that samplers read only
  it; `frozen` and empty parts are omitted."""
  tree = dict(vars(state))
  ema, _ = tree.pop("ema"), tree.pop("frozen")
  for name in ("ema_profiles", "control"):
    if not tree[name]:
      del tree[name]
  return {"state": tree, "ema": ema}


def from_trees(trees: Mapping[str, Any]) -> TrainState:
  """The state from the trees of a checkpoint."""
  empty: dict[str, Any] = {"ema_profiles": {}, "control": {}}
  return TrainState(**(empty | trees["state"]), ema=trees["ema"])
