"""Parser from plain data, such as a ConfigDict, to an `Experiment`."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

from jaxgen.config import agreement, stages
from jaxgen.config.adversarial import AdversarialConfig
from jaxgen.config.consistency import ConsistencyConfig
from jaxgen.config.control import ControlConfig
from jaxgen.config.data import DataConfig
from jaxgen.config.diffusion import DiffusionConfig
from jaxgen.config.experiment import TASK_SECTIONS, Experiment
from jaxgen.config.fields import LIMIT, Seed, check_value, near_miss
from jaxgen.config.hint import HintConfig
from jaxgen.config.latent import LatentConfig
from jaxgen.config.losses import KLConfig, LossConfig
from jaxgen.config.models import MODELS, ModelConfig
from jaxgen.config.optimizer import OptimizerConfig
from jaxgen.config.run import BatchConfig, TrainConfig
from jaxgen.errors import UserError

SECTIONS: dict[str, Any] = {  # all except `model` and `stages`
  "data": DataConfig,
  "loss": LossConfig,
  "adversarial": AdversarialConfig,
  "kl": KLConfig,
  "diffusion": DiffusionConfig,
  "hint": HintConfig,
  "latent": LatentConfig,
  "consistency": ConsistencyConfig,
  "control": ControlConfig,
  "optimizer": OptimizerConfig,
  "batch": BatchConfig,
  "train": TrainConfig,
}


def parse(config: Any) -> Experiment:
  """Parse and check a config.

  Args:
    config: a ConfigDict, or nested mappings as from `Experiment.to_dict`;
      missing fields take their defaults.

  Raises:
    UserError: an unknown field, an invalid value or inconsistent fields.
  """
  values = _plain(config)
  check_top_level(values)
  sections = {
    name: parse_section(name, values.get(name, {}))
    for name in TASK_SECTIONS[values["task"]]
  }
  experiment = Experiment(task=values["task"], seed=values["seed"], **sections)
  agreement.check(experiment)
  for index, stage in enumerate(experiment.stages):
    _check_stage(experiment, index, stage.resolution)
  total = experiment.ends[-1]
  if total >= LIMIT:
    raise UserError(
      f"stages.images: expected a total of less than {LIMIT:,}, got {total:,}."
    )
  return experiment


def _plain(config: Any) -> dict[str, Any]:
  values = config.to_dict() if hasattr(config, "to_dict") else config
  if not isinstance(values, Mapping) or "task" not in values:
    raise UserError(
      "config: expected a ConfigDict with a field `task`, as from "
      f"jaxgen.config(NAME), got {reprlib.repr(values)}."
    )
  return dict(values)


def check_top_level(values: Mapping[str, Any]) -> None:
  """Raise a UserError unless a config has the sections of its task."""
  task = values["task"]
  if not isinstance(task, str) or task not in TASK_SECTIONS:
    raise UserError(
      f"task={task!r}: expected one of {', '.join(TASK_SECTIONS)}."
    )
  known = ("task", "seed", *TASK_SECTIONS[task])
  for name in values:
    if name not in known:
      hint = near_miss(name, known)
      raise UserError(f"{name}: no such section or config field.{hint}")
  check_value("seed", Seed, values.get("seed"))
  for name in TASK_SECTIONS[task]:
    if not isinstance(values.get(name, {}), Mapping):
      raise UserError(
        f"{name}={values[name]!r}: expected a section with fields."
      )


def parse_section(name: str, values: Mapping[str, Any]) -> Any:
  """A section, of the class that its name selects."""
  if name == "stages":
    return stages.from_columns(values)
  if name == "model":
    return parse_model(values)
  return SECTIONS[name](**values)


def parse_model(values: Mapping[str, Any]) -> ModelConfig:
  """The model section, of the class that its field `name` selects."""
  name = values.get("name")
  if name not in MODELS:
    raise UserError(
      f"model.name={name!r}: expected one of {', '.join(MODELS)}."
    )
  return MODELS[name](**values)


def _check_stage(experiment: Experiment, index: int, resolution: int) -> None:
  """Raise a UserError if a stage does not fit the model or the hint."""
  stage = experiment.stages[index]
  try:
    if stage.patch_size and not hasattr(experiment.model, "patch_size"):
      raise UserError(
        f"stages.patch_size={stage.patch_size}: model.name="
        f"{experiment.model.name} has no patches."
      )
    if not experiment.latent.run:  # whose latents are not known yet
      experiment.model_at(index).check(resolution)
    experiment.hint.check(resolution)
  except UserError as e:
    raise UserError(f"{stage_label(experiment, index)}{e}") from e


def stage_label(experiment: Experiment, index: int) -> str:
  """A prefix that names the stage of a message; empty for a single stage."""
  stage = experiment.stages[index]
  patch = f", stages.patch_size={stage.patch_size}" if stage.patch_size else ""
  label = f"stage {index + 1} (stages.resolution={stage.resolution}{patch}): "
  return label if len(experiment.stages) > 1 else ""
