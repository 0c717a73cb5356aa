"""Model families, each a `Task` for the one training loop."""

from __future__ import annotations

from jaxgen.errors import UserError
from jaxgen.losses.reconstruction import RECONSTRUCTION
from jaxgen.tasks.autoencoder import autoencoder
from jaxgen.tasks.task import Stage, Task

TASKS = {"autoencoder": autoencoder}


def build(config, resolution: int) -> Task:
  """The task that `config.task` names, at one resolution."""
  if config.task not in TASKS:
    raise UserError(f"task={config.task!r}: known are {', '.join(TASKS)}.")
  if config.loss.reconstruction not in RECONSTRUCTION:
    raise UserError(
      f"loss.reconstruction={config.loss.reconstruction!r}: known are "
      f"{', '.join(RECONSTRUCTION)}."
    )
  return TASKS[config.task](config, resolution)


def stages(config) -> tuple[Stage, ...]:
  """The stages of a config: equal-length tuples, made into rows."""
  columns = config.stages.to_dict()
  if len({len(values) for values in columns.values()}) != 1:
    lengths = ", ".join(f"{k}: {len(v)}" for k, v in columns.items())
    raise UserError(f"stages: tuples of unequal length ({lengths}).")
  rows = [
    Stage(**dict(zip(columns, row, strict=True)))
    for row in zip(*columns.values(), strict=True)
  ]
  if not rows:
    raise UserError("stages: at least one stage is needed.")
  for row in rows:
    _check(row)
  return tuple(rows)


def _check(stage: Stage) -> None:
  if min(stage.resolution, stage.images, stage.batch_size) < 1:
    raise UserError(f"stages: every number must be at least 1, not {stage}.")
  if stage.accumulate < 1 or stage.batch_size % stage.accumulate:
    raise UserError(
      f"stages.accumulate={stage.accumulate} does not divide "
      f"stages.batch_size={stage.batch_size}."
    )
