"""Schedules of learning rate and fade-in, and a stage's position in them.

Schedules are functions of images seen, not of steps, so that they do not depend
on the batch size. A stage's position in them is a runtime input of the step, so
that stages with equal shapes share one compiled program for all learning rates.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.config.experiment import Experiment
from jaxgen.config.optimizer import OptimizerConfig
from jaxgen.typing import Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
  """The schedules of a stage; all fields except `factor` count images.

  Attributes:
    begin: images seen before the stage.
    planned: position of the learning-rate schedule at the start of the stage,
      as if no stage ended early.
    total: length of the learning-rate schedule.
    warmup: warm-up of the learning-rate schedule.
    factor: factor of the learning rate in the stage.
    stage_warmup: warm-up at the start of the stage.
    fade_in: images over which new blocks or detail fade in.
  """

  begin: Any
  planned: Any
  total: Any
  warmup: Any = 0.0
  factor: Any = 1.0
  stage_warmup: Any = 0.0
  fade_in: Any = 0.0

  def rate(self, config: OptimizerConfig, images: Array) -> Array:
    """The learning rate after `images`: a linear warm-up, a half cosine from 1
    to 0 unless constant, and the stage's factor and warm-up."""
    into = images - self.begin
    seen = self.planned + into
    share = ramp(into, self.stage_warmup) * ramp(seen, self.warmup)
    if config.schedule != "constant":
      progress = jnp.clip(seen / self.total, 0.0, 1.0)
      share = share * 0.5 * (1.0 + jnp.cos(jnp.pi * progress))
    return config.learning_rate * self.factor * share

  def fade(self, images: Array) -> Array:
    """The fade-in of new blocks or detail, from 0 to 1."""
    return ramp(images.astype(jnp.float32) - self.begin, self.fade_in)


def ramp(into: Array, length: Array) -> Array:
  """A linear ramp from 0 to 1 over `length`; 1 if the length is 0."""
  fraction = jnp.clip(into / jnp.maximum(length, 1e-6), 0.0, 1.0)
  return jnp.where(length > 0, fraction, 1.0)


def stage_schedule(
  experiment: Experiment, index: int, begin: int | None = None
) -> Schedule:
  """The schedule of a stage.

  Args:
    experiment: the experiment.
    index: index of the stage.
    begin: images seen before it, if earlier stages have ended early.
  """
  config, stage = experiment.optimizer, experiment.stages[index]
  before = sum(experiment.lengths[: index % len(experiment.stages)])
  values: dict[str, float] = {
    "begin": before if begin is None else begin,
    "planned": before,
    "total": sum(experiment.lengths),
    "warmup": config.warmup_images,
    "factor": stage.learning_rate_factor,
    "stage_warmup": stage.warmup_images,
    "fade_in": stage.fade_images,
  }
  if config.schedule == "stage_cosine":
    warmup = 0 if before else config.warmup_images  # first stage only
    values |= {"planned": 0, "total": stage.length, "warmup": warmup}
  return Schedule(**{k: np.float32(v) for k, v in values.items()})
