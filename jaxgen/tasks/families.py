"""Model families, by the name of their module in `jaxgen.tasks`.

They are listed, with the sections of their configs, in
`jaxgen.config.experiment.TASK_SECTIONS`.
"""

from __future__ import annotations

import importlib
from typing import Any, Protocol

from jaxgen.config.experiment import Experiment
from jaxgen.data import sources
from jaxgen.tasks.companion import NONE, Companions
from jaxgen.tasks.task import Task
from jaxgen.typing import ConditionNames


class Family(Protocol):
  """The module of a model family."""

  def build(
    self,
    experiment: Experiment,
    names: ConditionNames,
    *,
    stage: int,
    resolution: int,
    companions: Companions,
  ) -> Task:
    """The task at a resolution; see `families.build`."""
    ...

  def conditions(self, experiment: Experiment) -> tuple[str, ...]:
    """The labels and attributes of the data that the model uses."""
    ...


def family(name: str) -> Family:
  """The family of a name."""
  module: Any = importlib.import_module(f"jaxgen.tasks.{name}")
  return module


def build(
  experiment: Experiment,
  names: ConditionNames,
  *,
  stage: int = -1,
  resolution: int | None = None,
  companions: Companions = NONE,
) -> Task:
  """The task of an experiment.

  Args:
    experiment: the parsed config.
    names: value names of its conditions.
    stage: the stage whose model is built.
    resolution: side of the images, by default that of the stage.
    companions: the finished runs that it leans on.

  Raises:
    UserError: sections, or data and loss, are inconsistent.
  """
  side = resolution or experiment.stages[stage].resolution
  return family(experiment.task).build(
    experiment, names, stage=stage, resolution=side, companions=companions
  )


def conditions(experiment: Experiment) -> tuple[str, ...]:
  """The labels and attributes of the data that the model uses."""
  return family(experiment.task).conditions(experiment)


def condition_values(experiment: Experiment) -> ConditionNames:
  """The values of the conditions that the model uses, by name; empty, without
  reading data, if it uses none."""
  if not conditions(experiment):
    return {}
  return all_condition_values(experiment)


def all_condition_values(experiment: Experiment) -> ConditionNames:
  """The values of all conditions of the data, by name."""
  resolution = experiment.stages[0].resolution
  source = sources.build(experiment.data, "train", resolution)
  names = source.attribute_names | {"label": source.label_names}
  return {k: v for k, v in names.items() if v}
