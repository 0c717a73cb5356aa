"""Model families, each a `Task` for the one training loop."""

from __future__ import annotations

from typing import Any

from jaxgen.errors import UserError
from jaxgen.tasks.autoencoder import autoencoder
from jaxgen.tasks.diffusion import diffusion
from jaxgen.tasks.task import Names, Stage, Task

TASKS = {"autoencoder": autoencoder, "diffusion": diffusion}


def build(config, resolution: int, names: Names, **model: Any) -> Task:
  """The task that `config.task` names, at one resolution; `names` are those of
  the conditions that the data know, `model` fields of the model that differ
  from the config's."""
  if config.task not in TASKS:
    raise UserError(
      f"task={config.task!r}: one of {', '.join(TASKS)} is needed."
    )
  return TASKS[config.task](config, resolution, names, **model)


def condition_names(config) -> tuple[str, ...]:
  """Labels and attributes of the data that a task has to know the names of."""
  if config.task == "diffusion":
    return config.diffusion.conditions
  return (config.loss.label,) if config.loss.label else ()


def stages(config) -> tuple[Stage, ...]:
  """The stages of a config: equal-length tuples, made into rows; a tuple of one
  value has it for all stages."""
  columns = config.stages.to_dict()
  for name, values in columns.items():
    if not isinstance(values, tuple):
      raise UserError(f"stages.{name}={values!r}: a tuple is needed.")
  longest = max(map(len, columns.values()))
  if any(len(values) not in (1, longest) for values in columns.values()):
    lengths = ", ".join(f"{k}: {len(v)}" for k, v in columns.items())
    raise UserError(f"stages: tuples of unequal length ({lengths}).")
  columns = {k: v * (longest // len(v)) for k, v in columns.items()}
  rows = [
    Stage.read(dict(zip(columns, row, strict=True)))
    for row in zip(*columns.values(), strict=True)
  ]
  if not rows:
    raise UserError("stages: at least one stage is needed.")
  for row in rows:
    _check(row)
  return tuple(rows)


def _check(stage: Stage) -> None:
  if stage.batch_size % stage.accumulate:
    raise UserError(
      f"stages.accumulate={stage.accumulate} does not divide "
      f"stages.batch_size={stage.batch_size}."
    )
  if stage.fade_images > stage.images:
    raise UserError(
      f"stages.fade_images={stage.fade_images}: a stage of {stage.images} "
      "images ends before what is new has faded in."
    )
