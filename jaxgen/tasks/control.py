"""The `Task` of ControlNets (Zhang et al. 2023, arXiv:2302.05543): a finished
denoiser, and a copy of its first half that steers it by hints.

Without a hint the denoiser is the base itself, to the bit, and so it is before
the first step and at a scale of 0.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax

from jaxgen.config.diffusion import DiffusionConfig
from jaxgen.config.experiment import Experiment
from jaxgen.diffusion import edm
from jaxgen.errors import UserError
from jaxgen.models.build import build as build_model
from jaxgen.models.conditioning import HINT
from jaxgen.tasks import control_checks, diffusion, hint_images
from jaxgen.tasks.companion import BASE, Companions
from jaxgen.tasks.diffusion import conditions as conditions
from jaxgen.tasks.space import Frozen
from jaxgen.tasks.task import Task
from jaxgen.typing import Array, ConditionNames, DenoiseFn, Params

SCALE = "control_scale"  # the condition that multiplies the controls, `(b,)`


def build(
  experiment: Experiment,
  names: ConditionNames,
  *,
  stage: int,
  resolution: int,
  companions: Companions,
) -> Task:
  """The task of a ControlNet; see `families.build`."""
  config, base = experiment.diffusion, companions.runs[BASE]
  diffusion.check_conditions(config, names)
  control_checks.check(experiment, names, companions, stage=stage)
  hint = hint_images.build(experiment, companions, resolution)
  assert hint is not None  # checked by `config.agreement`
  space = diffusion.space_of(experiment, companions, resolution, hint=hint)
  options = experiment.model_at(stage)
  options.check(space.shape[0])
  places = space.shape[0] // getattr(options, "patch_size", 1)
  remat = experiment.stages[stage].remat
  model: Any = build_model(
    options,
    resolution=space.shape[0],
    channels=space.shape[2],
    remat=remat,
    condition_sizes=(
      *((x, len(names[x])) for x in config.conditions),
      *hint.condition_sizes,
    ),
    image_conditions=hint.image_conditions,
    hint_factor=hint_factor(resolution, places),
  )
  steered = base.task.model.clone(remat=remat)
  task = diffusion.assemble(
    experiment,
    names,
    model=model,
    denoiser=functools.partial(_denoiser, model, steered, config),
    space=space,
    hint=hint,
  )
  return dataclasses.replace(task, begin=_begin)


def hint_factor(side: int, places: int) -> int:
  """The side of hints over that of the features that they are added to.

  Raises:
    UserError: it is not a power of 2.
  """
  factor = side // places
  if side % places or factor & (factor - 1):
    raise UserError(
      f"stages.resolution={side}: expected a power of 2 times the {places}"
      " positions per side of the latents or patches, with task=control."
    )
  return factor


def _denoiser(
  model: Any,
  steered: Any,
  config: DiffusionConfig,
  params: Params,
  key: Array | None = None,
) -> DenoiseFn:
  """The preconditioned base with controls; `params` are those of the model, and
  under `BASE` those of the base. `key` enables dropout of the model, in
  training."""
  base = jax.lax.stop_gradient(params[BASE])

  def network(x: Array, c_noise: Array, cond: Any) -> Array:
    found = {}
    if HINT in (cond or {}):
      rngs = {} if key is None else {"dropout": key}
      train = key is not None
      own = {"params": {k: v for k, v in params.items() if k != BASE}}
      controls = model.apply(own, x, c_noise, cond, train, rngs=rngs)
      found = {"controls": [_scaled(y, cond) for y in controls]}
    return steered.apply({"params": base}, x, c_noise, cond, **found)

  return edm.precondition(network, config.sigma_data)


def _scaled(control: Array, cond: Mapping[str, Array]) -> Array:
  """A control times the scale; 0 for images without a hint."""
  factor = cond[HINT][:, 0, 0, -1] * cond.get(SCALE, 1.0)
  shape = -1, *(1,) * (control.ndim - 1)
  return control * factor.astype(control.dtype).reshape(shape)


def _begin(params: Params, frozen: Frozen) -> Params:
  """The parameters before the first step: those of the base where it has the
  same."""
  return _with_equals(params, frozen[BASE])


def _with_equals(params: Params, others: Params) -> Params:
  """Parameters with those of others where they have the same names."""

  def equal(name: str, value: Any) -> Any:
    if name not in others:
      return value
    if isinstance(value, Mapping):
      return _with_equals(value, others[name])
    return others[name]

  return {name: equal(name, value) for name, value in params.items()}
