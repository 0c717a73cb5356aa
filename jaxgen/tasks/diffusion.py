"""The `Task` of EDM diffusion models: denoising at every noise level."""

from __future__ import annotations

import functools
from typing import Any

import jax.numpy as jnp

from jaxgen.config.diffusion import DiffusionConfig
from jaxgen.config.experiment import Experiment
from jaxgen.diffusion import edm, vp
from jaxgen.errors import UserError
from jaxgen.models.build import build as build_model
from jaxgen.models.conditioning import ConditionSizes
from jaxgen.tasks import denoising_scores, domains, hint_images, noise_maps
from jaxgen.tasks.companion import Companions, with_base
from jaxgen.tasks.denoising_loss import FEATURES, UNCERTAINTY, Denoising
from jaxgen.tasks.examples import Denoiser
from jaxgen.tasks.hint import Hint
from jaxgen.tasks.latent_space import CODEC, latent
from jaxgen.tasks.residual import residual
from jaxgen.tasks.space import Space, identity_codec, pixels
from jaxgen.tasks.task import Task
from jaxgen.typing import (
  Array,
  Batch,
  ConditionNames,
  DenoiseFn,
  LossInputs,
  Metrics,
  Params,
)


def conditions(experiment: Experiment) -> tuple[str, ...]:
  """The conditions of the denoiser, and the classes that are balanced."""
  adaptive = experiment.data.balance == "adaptive"
  used = (*experiment.diffusion.conditions, *(domains.LABEL,) * adaptive)
  return tuple(dict.fromkeys(used))


def build(
  experiment: Experiment,
  names: ConditionNames,
  *,
  stage: int,
  resolution: int,
  companions: Companions,
  told: ConditionSizes = (),
) -> Task:
  """The task of a denoiser at one resolution; see `families.build`. `told` is
  what the network is told besides the conditions of the config."""
  config, channels = experiment.diffusion, experiment.data.channels
  check_conditions(config, names)
  hint = hint_images.build(experiment, companions, resolution)
  space = space_of(experiment, companions, resolution, hint=hint)
  options = experiment.model_at(stage)
  options.check(space.shape[0])
  model: Any = build_model(
    options,
    resolution=space.shape[0],
    channels=space.shape[2],
    remat=experiment.stages[stage].remat,
    condition_sizes=(
      *((x, len(names[x])) for x in config.conditions),
      *noise_maps.condition_sizes(config),
      *(hint.condition_sizes if hint else ()),
      *told,
    ),
    sigma_data=config.sigma_data,
    image_conditions=(
      *((edm.NOISE_MAP, channels),) * config.noise_map,
      *(hint.image_conditions if hint else ()),
    ),
  )
  return assemble(
    experiment,
    names,
    model=model,
    denoiser=functools.partial(_denoiser, model, config),
    space=space,
    hint=hint,
  )


def assemble(
  experiment: Experiment,
  names: ConditionNames,
  *,
  model: Any,
  denoiser: Denoiser,
  space: Space,
  hint: Hint | None,
) -> Task:
  """The task of a denoiser, given its network and preconditioned denoiser."""
  config = experiment.diffusion
  weighted = domains.adaptive_domains(experiment, names)

  def evaluate(params: Params, batch: Batch, inputs: LossInputs) -> Metrics:
    frozen = inputs.frozen
    denoise = denoiser(with_base(params, frozen))
    return denoising_scores.evaluate(
      config, space, denoise, batch, hint=hint, frozen=frozen
    )

  def preview(
    params: Params,
    batch: Batch,
    keys: Array,
    *,
    density: Any,
    inputs: LossInputs,
  ) -> Array:
    frozen = inputs.frozen
    denoise = denoiser(with_base(params, frozen))
    return denoising_scores.preview(
      config, space, denoise, batch, keys, hint=hint, frozen=frozen
    )

  return Task(
    model=model,
    init=functools.partial(_init, model, config, space.shape),
    loss=Denoising(
      config=config,
      denoiser=denoiser,
      space=space,
      hint=hint,
      domains=weighted,
    ),
    controller=domains.controller(weighted) if weighted else None,
    evaluate=evaluate,
    summarize=denoising_scores.summarize,
    preview=preview,
    preview_rows=denoising_scores.rows(space, hint),
    check_data=functools.partial(hint_images.check_data, experiment),
    denoiser=denoiser,
    space=space,
    hint=hint,
    evaluates_at_start=hint is not None,
    set_fade=getattr(model, "set_fade", None),
    batch_fields=(
      *_shown(space, hint),
      *conditions(experiment),
    ),
    metric="psnr",
    loss_name="denoising loss",
    latent_shape=space.shape,
    codec=functools.partial(identity_codec, space.shape),
  )


def _shown(space: Space, hint: Hint | None) -> tuple[str, ...]:
  """The fields of a batch that show the image."""
  stored = tuple(space.stored.shapes) if space.stored else ("image",)
  return tuple(dict.fromkeys((*stored, *((hint.field,) if hint else ()))))


def space_of(
  experiment: Experiment,
  companions: Companions,
  resolution: int,
  *,
  hint: Hint | None,
) -> Space:
  """What the denoiser works on."""
  config, channels = experiment.diffusion, experiment.data.channels
  shape = resolution, resolution, channels
  if experiment.latent.run:
    return latent(experiment, companions.runs[CODEC], resolution)
  if config.target == "residual" and hint is not None:
    return residual(shape, hint.image, config.sigma_data)
  return pixels(shape)


def check_conditions(config: DiffusionConfig, names: ConditionNames) -> None:
  """Raise a UserError for conditions that the data do not have."""
  for condition in config.conditions:
    known = ", ".join(names) or "none, the data have no labels"
    if condition not in names:
      raise UserError(
        f"diffusion.conditions: {condition!r} is not in the data; available: "
        f"{known}."
      )


def _init(
  model: Any, config: DiffusionConfig, shape: tuple[int, ...], key: Array
) -> Params:
  params = model.init(key, jnp.zeros((1, *shape)), jnp.zeros(1))["params"]
  extra = {UNCERTAINTY: jnp.zeros(FEATURES)} if config.uncertainty else {}
  return params | extra


def _denoiser(
  model: Any, config: DiffusionConfig, params: Params, key: Array | None = None
) -> DenoiseFn:
  """The preconditioned network, or one that predicts the noise as DDPM's
  process has it; `key` enables dropout, in training."""

  def network(x: Array, c_noise: Array, cond: Any) -> Array:
    rngs = {} if key is None else {"dropout": key}
    variables, train = {"params": params}, key is not None
    return model.apply(variables, x, c_noise, cond, train, rngs=rngs)

  if getattr(model, "predicts_noise", False):
    return vp.from_epsilon(network)
  return edm.precondition(
    network, config.sigma_data, noise_map=config.noise_map
  )
