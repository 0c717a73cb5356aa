"""From the parameters of one network to those of another, leaf by leaf.

A parameter is carried
- by its model's rule for another patch size or grid (`models.resampling`),
- as it is, where name and shape are the same,
- freshly initialized, where it belongs to a block that is new and starts as the
  identity.
If any parameter remains, on either side, all of them are named in an error.
EMAs are carried like the parameters. Moments of the optimizer are carried
where their parameter keeps its shape, else they start from zero.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import rng
from jaxgen.config.experiment import vars_of
from jaxgen.errors import UserError
from jaxgen.models.resampling import TransferRules
from jaxgen.train.stage import StageProgram
from jaxgen.train.state import TrainState
from jaxgen.trees import named
from jaxgen.typing import Params

# Blocks that start as the identity, levels that start with nothing:
FRESH = re.compile(r"(^|/)(block_\d+|outer_\d+_\w+|finer_\w+)(/|$)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class InitialWeights:
  """Weights of another run to start from.

  Attributes:
    model: the network that they are of.
    params: the weights.
    origin: where they come from, for the log.
  """

  model: Any
  params: Params
  origin: str


def transfer_params(old: Params, fresh: Params, rules: TransferRules) -> Params:
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
      "stages: no rule transfers these parameters: " + "; ".join(unmapped)
    )
  return jax.tree.unflatten(jax.tree.structure(fresh), leaves)


def _transfer_moments(old: Any, fresh: Any) -> Any:
  """The optimizer's state, of leaves that keep their name and shape."""
  before = named(old)
  leaves = [
    before[name] if name in before and before[name].shape == new.shape else new
    for name, new in named(fresh).items()
  ]
  return jax.tree.unflatten(jax.tree.structure(fresh), leaves)


def transfer_state(
  state: TrainState, old: StageProgram, new: StageProgram
) -> TrainState:
  """The state of one stage at the start of another, on the devices; unchanged
  where both have the same model."""
  if old.task.model == new.task.model:
    return state
  key = rng.stream(new.experiment.seed, "stage", new.index)
  convert = _converter(old, new)
  return jax.jit(convert, out_shardings=new.shardings)(state, key)


def check_transfers(programs: Sequence[StageProgram]) -> None:
  """Raise a UserError where a stage cannot take the state of the one before;
  nothing is computed."""
  for old, new in zip(programs, programs[1:], strict=False):
    if old.task.model != new.task.model:
      convert = _converter(old, new)
      jax.eval_shape(convert, old.state_shapes, jax.random.key(0))


def _converter(
  old: StageProgram, new: StageProgram
) -> Callable[[TrainState, jax.Array], TrainState]:
  """The state of one stage, and a key for what is new, to that of another."""
  rules = transfer_rules(old.task.model, new.task.model)

  def convert(state: TrainState, key: jax.Array) -> TrainState:
    fresh = new.initial_state(key)
    over = lambda params: transfer_params(params, fresh.params, rules)  # noqa: E731
    return dataclasses.replace(
      state,
      params=over(state.params),
      ema=over(state.ema),
      ema_profiles={k: over(v) for k, v in state.ema_profiles.items()},
      opt_state=_transfer_moments(state.opt_state, fresh.opt_state),
    )

  return convert


def transfer_rules(old: Any, new: Any) -> TransferRules:
  """The rules from one model to another of its kind.

  Raises:
    UserError: there are none.
  """
  try:
    return new.rules(old)
  except ValueError as e:
    raise UserError(f"stages: {e}") from e


def warm_start(program: StageProgram, initial: InitialWeights) -> TrainState:
  """The state at step 0 with the weights of another run.

  Raises:
    UserError: it is of another kind of model, or leaves cannot be mapped.
  """
  model = program.task.model
  _check_kinds(initial.model, model)
  rules = transfer_rules(initial.model, model)

  def begin(old: Params, key: jax.Array) -> TrainState:
    fresh = program.initial_state(key)
    params = transfer_params(old, fresh.params, rules)
    copy = lambda: jax.tree.map(jnp.copy, params)  # noqa: E731
    profiles = {k: copy() for k in fresh.ema_profiles}
    return dataclasses.replace(
      fresh, params=params, ema=copy(), ema_profiles=profiles
    )

  key = rng.stream(program.experiment.seed, "parameters")
  place = jax.jit(begin, out_shardings=program.shardings)
  return place(jax.device_get(initial.params), key)


FREE = {  # fields that may differ between two networks of the same weights
  "resolution",
  "resolutions",
  "patch_size",
  "grids",
  "encoder_depth",
  "decoder_depth",
  "depth",
  "dropout",
  "condition_sizes",
  "remat",
  "dtype",
  "name",
  "parent",
  "options",  # compared field by field
}


def _check_kinds(before: Any, after: Any) -> None:
  """Raise a UserError where one network's weights are not the other's."""
  if type(before) is not type(after):
    raise UserError(
      f"train.init_from: weights of a {type(before).__name__} do not fit a "
      f"{type(after).__name__}; name a run of the same model.name."
    )
  there, here = _fixed_fields(before), _fixed_fields(after)
  apart = [
    f"{name} is {there[name]!r} there and {here[name]!r} here"
    for name in sorted(here)
    if there[name] != here[name]
  ]
  if apart:
    raise UserError(
      f"train.init_from: another network: {'; '.join(apart)}. Set model (or "
      "data.channels) as it is there."
    )


def _fixed_fields(model: Any) -> dict[str, Any]:
  """Fields of a network and of its options that its weights depend on."""
  fields = vars_of(model) | vars_of(model.options)
  return {name: value for name, value in fields.items() if name not in FREE}
