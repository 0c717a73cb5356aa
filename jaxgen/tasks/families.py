"""Model families: one row each.

A family is a builder of its `Task`, and the conditions of the data that its
model is given or predicts. The sections of its config stand in
`config.experiment.TASK_SECTIONS`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from jaxgen.config.experiment import Experiment
from jaxgen.data import sources
from jaxgen.tasks import autoencoder, diffusion
from jaxgen.tasks.task import Task
from jaxgen.typing import ConditionNames


@dataclasses.dataclass(frozen=True, kw_only=True)
class Family:
  """One model family.

  Attributes:
    build: (experiment, names, stage=, resolution=) -> Task.
    conditions: the labels and attributes of the data that its model uses.
  """

  build: Callable[..., Task]
  conditions: Callable[[Experiment], tuple[str, ...]]


FAMILIES = {
  "autoencoder": Family(
    build=autoencoder.build, conditions=autoencoder.conditions
  ),
  "diffusion": Family(build=diffusion.build, conditions=diffusion.conditions),
}


def build(
  experiment: Experiment,
  names: ConditionNames,
  *,
  stage: int = -1,
  resolution: int | None = None,
) -> Task:
  """The task of an experiment.

  Args:
    experiment: the parsed config.
    names: the values of its conditions.
    stage: the stage whose model the task has.
    resolution: of the images, by default the stage's.

  Raises:
    UserError: sections, or data and loss, do not fit together.
  """
  side = resolution or experiment.stages[stage].resolution
  experiment.model_at(stage).check(side)
  family = FAMILIES[experiment.task]
  return family.build(experiment, names, stage=stage, resolution=side)


def condition_values(experiment: Experiment) -> ConditionNames:
  """The values of the conditions that the model uses, by name; empty where it
  uses none, and no data are read then."""
  if not FAMILIES[experiment.task].conditions(experiment):
    return {}
  return all_condition_values(experiment)


def all_condition_values(experiment: Experiment) -> ConditionNames:
  """The values of all conditions of the data, by name."""
  resolution = experiment.stages[0].resolution
  source = sources.build(experiment.data, "train", resolution)
  names = source.attribute_names | {"label": source.label_names}
  return {k: v for k, v in names.items() if v}
