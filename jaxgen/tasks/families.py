"""Table of the model families.

A family has a builder of its `Task`, and the conditions in the data that its
model takes or predicts. The sections of its config are listed in
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
  """A model family.

  Attributes:
    build: (experiment, names, stage=, resolution=) -> Task.
    conditions: labels and attributes of the data that the model uses.
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
    names: value names of its conditions.
    stage: the stage whose model is built.
    resolution: side of the images, by default that of the stage.

  Raises:
    UserError: sections, or data and loss, are inconsistent.
  """
  side = resolution or experiment.stages[stage].resolution
  experiment.model_at(stage).check(side)
  family = FAMILIES[experiment.task]
  return family.build(experiment, names, stage=stage, resolution=side)


def condition_values(experiment: Experiment) -> ConditionNames:
  """The values of the conditions that the model uses, by name; empty, without
  reading data, if it uses none."""
  if not FAMILIES[experiment.task].conditions(experiment):
    return {}
  return all_condition_values(experiment)


def all_condition_values(experiment: Experiment) -> ConditionNames:
  """The values of all conditions of the data, by name."""
  resolution = experiment.stages[0].resolution
  source = sources.build(experiment.data, "train", resolution)
  names = source.attribute_names | {"label": source.label_names}
  return {k: v for k, v in names.items() if v}
