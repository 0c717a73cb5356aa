"""From the state of one stage to that of the next, leaf by leaf.

A parameter is carried
- by its model's rule for another patch size or grid (`models.resampling`),
- as it is, where name and shape are the same,
- afresh, where it belongs to a block that is new and starts as the identity.
If any parameter remains, on either side, all of them are named in an error.
EMAs are carried like the parameters. Moments of the optimizer are carried
where their parameter keeps its shape, else they start anew.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import rng
from jaxgen.errors import UserError
from jaxgen.models.resampling import Rules
from jaxgen.tasks.task import Task
from jaxgen.train.plan import Plan
from jaxgen.train.state import TrainState
from jaxgen.trees import named
from jaxgen.typing import Params

# Blocks that start as the identity, levels that start with nothing:
FRESH = re.compile(r"(^|/)(block_\d+|outer_\d+_\w+|finer_\w+)(/|$)")


def transfer_params(old: Params, fresh: Params, rules: Rules) -> Params:
  """Parameters of the shapes of `fresh`, out of `old` ones.

  Raises:
    UserError: leaves that no rule maps, each with its shapes.
  """
  before, leaves, unmapped = named(old), [], []
  for name, new in named(fresh).items():
    leaf = before.pop(name, None)
    if leaf is None and FRESH.search(name):
      leaf = new
    elif leaf is not None and leaf.shape != new.shape and name in rules:
      leaf = rules[name](leaf).astype(new.dtype)
    if leaf is None or leaf.shape != new.shape:
      there = "missing" if leaf is None else leaf.shape
      unmapped.append(f"{name}: {there} to {new.shape}")
    leaves.append(leaf)
  unmapped += [f"{name}: {x.shape} to nothing" for name, x in before.items()]
  if unmapped:
    raise UserError(
      "stages: parameters that no rule carries over: " + "; ".join(unmapped)
    )
  return jax.tree.unflatten(jax.tree.structure(fresh), leaves)


def _moments(old: Any, fresh: Any) -> Any:
  """The optimizer's state: what has kept its name and shape."""
  before = named(old)
  leaves = [
    before[name] if name in before and before[name].shape == new.shape else new
    for name, new in named(fresh).items()
  ]
  return jax.tree.unflatten(jax.tree.structure(fresh), leaves)


def transfer_state(
  plan: Plan, state: TrainState, old: int, new: int
) -> TrainState:
  """The state of stage `old` as stage `new` begins with it, on the devices;
  the very same where the model is."""
  if plan.task(old).model == plan.task(new).model:
    return state
  key = rng.stream(plan.config.seed, "stage", new)
  convert = _converter(plan, old, new)
  return jax.jit(convert, out_shardings=plan.shardings(new))(state, key)


def check_transfers(plan: Plan) -> None:
  """Raise a UserError where a stage cannot take what the one before has; no
  number is computed."""
  for new in range(1, len(plan.stages)):
    if plan.task(new - 1).model != plan.task(new).model:
      convert = _converter(plan, new - 1, new)
      jax.eval_shape(convert, plan.shapes(new - 1), jax.random.key(0))


def _converter(
  plan: Plan, old: int, new: int
) -> Callable[[TrainState, jax.Array], TrainState]:
  """The state of one stage, and a key for what is new, to that of another."""
  rules = plan.task(new).model.rules(plan.task(old).model)

  def convert(state: TrainState, key: jax.Array) -> TrainState:
    fresh = plan.create(new)(key)
    over = lambda params: transfer_params(params, fresh.params, rules)  # noqa: E731
    return dataclasses.replace(
      state,
      params=over(state.params),
      ema=over(state.ema),
      ema_profiles={k: over(v) for k, v in state.ema_profiles.items()},
      opt_state=_moments(state.opt_state, fresh.opt_state),
    )

  return convert


def warm_start(plan: Plan, task: Task, params: Params) -> TrainState:
  """The state at step 0 with the weights of another run's task.

  Raises:
    UserError: it is of another kind of model, or leaves cannot be mapped.
  """
  before, after = task.model, plan.task(0).model
  _check_kinds(before, after)
  rules = after.rules(before)

  def begin(old: Params, key: jax.Array) -> TrainState:
    fresh = plan.create()(key)
    params = transfer_params(old, fresh.params, rules)
    copy = lambda: jax.tree.map(jnp.copy, params)  # noqa: E731
    return dataclasses.replace(
      fresh,
      params=params,
      ema=copy(),
      ema_profiles={k: copy() for k in fresh.ema_profiles},
    )

  key = rng.stream(plan.config.seed, "parameters")
  place = jax.jit(begin, out_shardings=plan.shardings())
  return place(jax.device_get(params), key)


FREE = {"resolution", "resolutions", "patch_size", "remat", "dtype", "dropout"}
FREE |= {"encoder_depth", "decoder_depth", "depth", "grids"}
FREE |= {"parent", "name", "sizes"}


def _check_kinds(before: Any, after: Any) -> None:
  """Raise a UserError where one network's weights are not the other's."""
  if type(before) is not type(after):
    raise UserError(
      f"train.init_from: weights of a {type(before).__name__} are not those of "
      f"a {type(after).__name__}; name a run of the same model.name."
    )
  fields = {x.name for x in dataclasses.fields(after)} - FREE
  apart = [
    f"{k} is {getattr(before, k)!r} there and {getattr(after, k)!r} here"
    for k in sorted(fields)
    if getattr(before, k) != getattr(after, k)
  ]
  if apart:
    raise UserError(
      f"train.init_from: another network: {'; '.join(apart)}. Set model (or "
      "data.channels) as it is there."
    )
