"""Checks that a few-step model fits the denoiser that it is tuned from, and
warnings of models that should be tuned and are not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jaxgen.config.experiment import Experiment
from jaxgen.errors import UserError
from jaxgen.train.opening import say
from jaxgen.train.stage import StageProgram
from jaxgen.train.transfer import InitialWeights

FIELDS = (  # of sections, which determine what the weights answer
  "diffusion.sigma_data",
  "diffusion.target",
  "diffusion.noise_map",
  "hint.kind",
  "hint.factor",
  "hint.num_classes",
  "hint.noise",
  "latent.normalize",
)


def check_teacher(program: StageProgram, initial: InitialWeights) -> None:
  """Raise a UserError if the weights of a few-step model are those of a
  denoiser of other states, or with other conditions."""
  if not program.experiment.few_steps or initial.experiment is None:
    return
  for problem in _differences(program, initial, initial.experiment):
    raise UserError(
      f"train.init_from={program.experiment.train.init_from}: {problem} there."
    )


def warn_of_scratch(experiment: Experiment) -> None:
  """Print what is to be expected of a few-step model, or of an adversarial
  loss, that does not start from a trained model."""
  if experiment.adversarial.weight:
    say(
      "warning: no train.init_from: an adversarial loss is for an upscaler that"
      " was trained without one. Set it to the run of one with the same model."
    )
  if experiment.few_steps and not experiment.consistency.pretrain_images:
    say(
      "warning: no train.init_from: few-step models that are not tuned from a"
      " denoiser often fail. Set it to the run of one with the same model, or"
      " consistency.pretrain_images to begin as one."
    )


def _differences(
  program: StageProgram, initial: InitialWeights, teacher: Experiment
) -> Iterator[str]:
  own = program.experiment
  side = initial.model.resolution
  if "resolution" in vars(program.task.model):
    if program.task.model.resolution != side:
      yield (
        f"stages.resolution: the states have a side of"
        f" {program.task.model.resolution}, but {side}"
      )
  for field in FIELDS:
    mine, theirs = _value(own, field), _value(teacher, field)
    if mine != theirs:
      yield f"{field}={mine}, but {theirs}"
  names, known = own.diffusion.conditions, teacher.diffusion.conditions
  if names != known:
    yield f"diffusion.conditions={names}, but {known}"
  for name in names:
    if program.names[name] != initial.names[name]:
      mine, theirs = (", ".join(x.names[name]) for x in (program, initial))
      yield f"diffusion.conditions: {name} is one of {mine}, but {theirs}"
  for name, run in program.companions.runs.items():
    other = initial.companions.runs.get(name)
    if other is None or other.digest != run.digest:
      where = other.origin if other else "none"
      yield (
        f"{'latent' if name == 'codec' else name}.run={run.origin} is not the"
        f" autoencoder of the denoiser, which is {where}"
      )
  if set(initial.companions.runs) - set(program.companions.runs):
    yield "latent.run is empty, but the denoiser is of latents"


def _value(experiment: Experiment, field: str) -> Any:
  section, _, name = field.partition(".")
  return getattr(getattr(experiment, section), name)
