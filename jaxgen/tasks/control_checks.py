"""Checks that a ControlNet fits the denoiser that it steers."""

from __future__ import annotations

from collections.abc import Iterator

from jaxgen.config.experiment import Experiment, vars_of
from jaxgen.errors import UserError
from jaxgen.tasks.companion import BASE, Companion, Companions
from jaxgen.typing import ConditionNames

OWN = ("dropout", "dtype")  # fields of the model that may differ
FIELDS = ("data.channels", "diffusion.sigma_data", "latent.normalize")


def check(
  experiment: Experiment,
  names: ConditionNames,
  companions: Companions,
  *,
  stage: int,
) -> None:
  """Raise a UserError if the base has hints, or another model, other images or
  latents, or other conditions than the config."""
  base = companions.runs[BASE]
  problems = (
    *_of_base(base),
    *_of_model(experiment, base),
    *_of_images(experiment, base, stage),
    *_of_conditions(experiment, names, base),
    *_of_latents(companions, base),
  )
  for problem in problems:
    raise UserError(f"control.base={base.origin}: {problem}.")


def _of_base(base: Companion) -> Iterator[str]:
  config = base.experiment
  if config.hint.kind:
    yield f"expected a denoiser without hints, got hint.kind={config.hint.kind}"
  if config.diffusion.noise_map:
    yield "expected a denoiser without diffusion.noise_map"


def _of_model(experiment: Experiment, base: Companion) -> Iterator[str]:
  own, theirs = (vars_of(x.model) for x in (experiment, base.experiment))
  for name in ("name", *(x for x in own if x not in OWN)):
    if own[name] != theirs.get(name):
      yield f"model.{name}={own[name]}, but {theirs.get(name)} there"


def _of_images(
  experiment: Experiment, base: Companion, stage: int
) -> Iterator[str]:
  side = experiment.stages[stage].resolution
  if side != base.image_shape[0]:
    yield f"stages.resolution={side}, but {base.image_shape[0]} there"
  for field in FIELDS:
    section, _, name = field.partition(".")
    own, theirs = (
      getattr(getattr(x, section), name) for x in (experiment, base.experiment)
    )
    if own != theirs:
      yield f"{field}={own}, but {theirs} there"


def _of_conditions(
  experiment: Experiment, names: ConditionNames, base: Companion
) -> Iterator[str]:
  own = experiment.diffusion.conditions
  theirs = base.experiment.diffusion.conditions
  if own != theirs:
    yield f"diffusion.conditions={own}, but {theirs} there"
  for name in own:
    if tuple(names[name]) != tuple(base.names[name]):
      yield (
        f"diffusion.conditions: {name} is one of {', '.join(names[name])}, but"
        f" of {', '.join(base.names[name])} there"
      )


def _of_latents(companions: Companions, base: Companion) -> Iterator[str]:
  own, theirs = companions.runs.get("codec"), base.leans_on.get("codec")
  if own is None and theirs is not None:
    yield (
      "expected latent.run to be the autoencoder of the denoiser,"
      f" {theirs[1]}, got none"
    )
  if own is not None and (theirs is None or own.digest != theirs[0]):
    yield (
      f"latent.run={own.origin} is not the autoencoder of the denoiser, which"
      f" is {theirs[1] if theirs else 'none'}"
    )
