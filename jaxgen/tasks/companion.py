"""Finished runs that a task leans on, such as the autoencoder of latent
diffusion."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgen.config.experiment import Experiment
from jaxgen.errors import UserError
from jaxgen.tasks.space import NUMBERS
from jaxgen.tasks.task import Task
from jaxgen.typing import ConditionNames, Params

BASE = "base"  # the companion that a ControlNet steers


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Companion:
  """A finished run that a task leans on; its weights are not trained.

  A task takes its functions from here, and its weights from an argument such as
  `LossInputs.frozen`, never from `params`: they would become constants of
  compiled programs.

  Attributes:
    task: the run's task.
    experiment: its config.
    image_shape: (height, width, channels) of its images.
    params: EMA weights, NumPy arrays on the host.
    step: finished updates of its checkpoint.
    digest: hash of its config and weights.
    origin: the run as the config names it.
    names: value names of its conditions.
    leans_on: digest and origin of each of its own companions, by name.
  """

  task: Task
  experiment: Experiment
  image_shape: tuple[int, int, int]
  params: Params
  step: int
  digest: str
  origin: str
  names: ConditionNames = dataclasses.field(default_factory=dict)
  leans_on: Mapping[str, tuple[str, str]] = dataclasses.field(
    default_factory=dict
  )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Companions:
  """The companions of a run.

  Attributes:
    runs: by what they are for, such as "codec".
    numbers: statistics of training tiles, see `Space.numbers`; by default
      values that change nothing.
  """

  runs: Mapping[str, Companion] = dataclasses.field(default_factory=dict)
  numbers: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

  def frozen(self, task: Task) -> dict[str, Any]:
    """The parameters that a task does not train, on the host, by name."""
    found = {name: x.params for name, x in self.runs.items()}
    numbers = task.space.numbers if task.space else {}
    return found | ({NUMBERS: {**numbers, **self.numbers}} if numbers else {})


NONE = Companions()


def with_base(params: Params, frozen: Mapping[str, Params]) -> Params:
  """The parameters of a denoiser: those that are trained and, of a ControlNet,
  those of its base."""
  return {**params, BASE: frozen[BASE]} if BASE in frozen else params


def check_images(
  experiment: Experiment, companion: Companion, resolution: int, *, field: str
) -> None:
  """Raise a UserError if images are not those of the autoencoder that a config
  field names."""
  side, _, channels = companion.image_shape
  if resolution != side:
    raise UserError(
      f"stages.resolution={resolution}: expected {side}, the resolution of"
      f" {field}={companion.origin}."
    )
  if experiment.data.channels != channels:
    raise UserError(
      f"data.channels={experiment.data.channels}: expected {channels}, as"
      f" {field}={companion.origin}."
    )
