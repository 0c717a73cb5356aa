"""Model families, one row each."""

from __future__ import annotations

from collections.abc import Callable

from jaxgen.config.data import Split
from jaxgen.config.experiment import Experiment
from jaxgen.data import sources
from jaxgen.tasks.autoencoder import autoencoder
from jaxgen.tasks.diffusion import diffusion
from jaxgen.tasks.task import Task
from jaxgen.typing import ConditionNames

FAMILIES: dict[str, Callable[..., Task]] = {
  "autoencoder": autoencoder,
  "diffusion": diffusion,
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
    experiment: what is trained.
    names: the values of its conditions.
    stage: whose model it has.
    resolution: of the images, by default the stage's.

  Raises:
    UserError: numbers, or data and loss, that do not fit together.
  """
  side = resolution or experiment.stages[stage].resolution
  experiment.model_at(stage).check(side)
  family = FAMILIES[experiment.task]
  return family(experiment, names, stage=stage, resolution=side)


def condition_values(
  experiment: Experiment, split: Split = "train", *, used: bool = True
) -> ConditionNames:
  """The values of conditions, by name, as the data know them.

  Args:
    experiment: what is trained.
    split: of the data.
    used: only where the model uses conditions; else of all that the data have.
  """
  if used and not experiment.condition_names:
    return {}
  resolution = experiment.stages[0].resolution
  source = sources.build(experiment.data, split, resolution)
  names = source.attribute_names | {"label": source.label_names}
  return {k: v for k, v in names.items() if v}
