"""Transfer of parameters from one network to another, leaf by leaf.

A parameter is
- mapped by its model's rule for another patch size or grid
  (`models.resampling`),
- unchanged, if name and shape are the same,
- freshly initialized, if it belongs to a new block that starts as the identity.
All other parameters, of either network, are listed in an error. EMAs are
transferred like the parameters. Moments of the optimizer are kept if their
parameter keeps its shape, else they start from zero.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import rng
from jaxgen.config.experiment import Experiment, vars_of
from jaxgen.errors import UserError
from jaxgen.models.resampling import TransferRules
from jaxgen.tasks.companion import NONE, Companions
from jaxgen.tasks.denoising_loss import UNCERTAINTY
from jaxgen.train.stage import StageProgram
from jaxgen.train.state import TrainState
from jaxgen.trees import named
from jaxgen.typing import ConditionNames, Params

# Blocks that start as the identity, levels and numbers that start at zero:
FRESH = re.compile(r"(^|/)(block_\d+|outer_\d+_\w+|finer_\w+|numbers_\w+)(/|$)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class InitialWeights:
  """Initial weights from another run.

  Attributes:
    model: the network of the weights.
    params: the weights.
    origin: description of their origin, for the log.
    experiment: the config of their run, if known.
    names: value names of its conditions.
    companions: the finished runs that it leans on, and its numbers.
  """

  model: Any
  params: Params
  origin: str
  experiment: Experiment | None = None
  names: ConditionNames = dataclasses.field(default_factory=dict)
  companions: Companions = NONE


def transfer_params(old: Params, fresh: Params, rules: TransferRules) -> Params:
  """Parameters with the shapes of `fresh`, from `old` ones.

  Raises:
    UserError: some leaves are not mapped by any rule; lists their shapes.
  """
  before, leaves, unmapped = named(old), [], []
  for name, new in named(fresh).items():
    leaf = before.pop(name, None)
    if leaf is None and FRESH.search(name):
      leaf = new
    elif leaf is not None and leaf.shape != new.shape and name in rules:
      leaf = rules[name](leaf).astype(new.dtype)
    if leaf is None or leaf.shape != new.shape:
      shape = "missing" if leaf is None else leaf.shape
      unmapped.append(f"{name}: {shape} to {new.shape}")
    leaves.append(leaf)
  unmapped += [f"{name}: {x.shape} to nothing" for name, x in before.items()]
  if unmapped:
    raise UserError(
      "stages: no rule transfers these parameters: " + "; ".join(unmapped)
    )
  return jax.tree.unflatten(jax.tree.structure(fresh), leaves)


def _transfer_moments(old: Any, fresh: Any) -> Any:
  """The optimizer state, kept for leaves with unchanged name and shape."""
  before = named(old)
  leaves = [
    before[name] if name in before and before[name].shape == new.shape else new
    for name, new in named(fresh).items()
  ]
  return jax.tree.unflatten(jax.tree.structure(fresh), leaves)


def transfer_state(
  state: TrainState, old: StageProgram, new: StageProgram
) -> TrainState:
  """The state of one stage transferred to another, on the devices; unchanged if
  both have the same model."""
  if old.task.model == new.task.model:
    return state
  key = rng.stream(new.experiment.seed, "stage", new.index)
  convert = _converter(old, new)
  return jax.jit(convert, out_shardings=new.shardings)(state, key)


def check_transfers(programs: Sequence[StageProgram]) -> None:
  """Raise a UserError if a stage cannot take over the state of the previous
  one; nothing is computed."""
  for old, new in zip(programs, programs[1:], strict=False):
    if old.task.model != new.task.model:
      convert = _converter(old, new)
      jax.eval_shape(convert, old.state_shapes, jax.random.key(0))


def _converter(
  old: StageProgram, new: StageProgram
) -> Callable[[TrainState, jax.Array], TrainState]:
  """A function from a state of one stage and a key for new parameters to a
  state of another stage."""
  rules = transfer_rules(old.task.model, new.task.model)

  def convert(state: TrainState, key: jax.Array) -> TrainState:
    fresh = new.initial_state(key)
    sampled = lambda old: transfer_params(old, fresh.ema, rules)  # noqa: E731
    return dataclasses.replace(
      state,
      params=transfer_params(state.params, fresh.params, rules),
      ema=sampled(state.ema),
      ema_profiles={k: sampled(v) for k, v in state.ema_profiles.items()},
      opt_state=_transfer_moments(state.opt_state, fresh.opt_state),
    )

  return convert


def transfer_rules(old: Any, new: Any) -> TransferRules:
  """The rules from a model to another of the same kind.

  Raises:
    UserError: the models are not compatible.
  """
  try:
    return new.rules(old)
  except ValueError as e:
    raise UserError(f"stages: {e}") from e


def warm_start(program: StageProgram, initial: InitialWeights) -> TrainState:
  """The state at step 0 with the weights of another run; a discriminator starts
  anew.

  Raises:
    UserError: the models are of different kinds, or leaves cannot be mapped.
  """
  model = program.task.model
  _check_kinds(initial.model, model)
  rules = transfer_rules(initial.model, model)

  def begin(old: Params, key: jax.Array) -> TrainState:
    fresh = program.initial_state(key)
    own = program.task.sampled(fresh.params)
    sampled = transfer_params(_needed(old, own), own, rules)
    params = program.task.with_sampled(fresh.params, sampled)
    copy = lambda: jax.tree.map(jnp.copy, sampled)  # noqa: E731
    profiles = {k: copy() for k in fresh.ema_profiles}
    return dataclasses.replace(
      fresh, params=params, ema=copy(), ema_profiles=profiles
    )

  key = rng.stream(program.experiment.seed, "parameters")
  place = jax.jit(begin, out_shardings=program.trained_shardings)
  return program.with_frozen(place(jax.device_get(initial.params), key))


def _needed(old: Params, fresh: Params) -> Params:
  """Weights of another run without those of its loss alone, if this run does
  not learn the weight of each noise level."""
  unused = {UNCERTAINTY} - set(fresh)
  return {name: leaf for name, leaf in old.items() if name not in unused}


FREE = {  # fields that may differ between networks with compatible weights
  "resolution",
  "resolutions",
  "patch_size",
  "grids",
  "encoder_depth",
  "decoder_depth",
  "depth",
  "dropout",
  "condition_sizes",
  "image_conditions",
  "remat",
  "dtype",
  "name",
  "parent",
  "options",  # compared field by field
}


def _check_kinds(old: Any, new: Any) -> None:
  """Raise a UserError if the weights of a network do not fit another."""
  if type(old) is not type(new):
    raise UserError(
      f"train.init_from: weights of a {type(old).__name__} do not fit a "
      f"{type(new).__name__}; expected a run with the same model.name."
    )
  old_fields, new_fields = _fixed_fields(old), _fixed_fields(new)
  mismatches = [
    f"{name}={new_fields[name]!r}, expected {old_fields[name]!r}"
    for name in sorted(new_fields)
    if old_fields[name] != new_fields[name]
  ]
  if mismatches:
    raise UserError(
      f"train.init_from: the networks differ: {'; '.join(mismatches)}. Set "
      "model (or data.channels) as in that run."
    )


def _fixed_fields(model: Any) -> dict[str, Any]:
  """The fields of a network and its options that determine its weights."""
  fields = vars_of(model) | vars_of(model.options)
  return {name: value for name, value in fields.items() if name not in FREE}
