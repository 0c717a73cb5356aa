"""The place of a stage in the schedules of its run.

Schedules are functions of images seen, not of steps, so that a change of the
batch size does not move them. A stage's place in them is numbers that its step
is given, not code, so that stages of the same shapes share one compiled program
whatever their learning rates.
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
  """A stage's schedules; all but `factor` are numbers of images.

  Attributes:
    begin: seen before the stage.
    planned: position of the learning-rate schedule at that point: what early
      ends of other stages leave out is skipped.
    total: length of that schedule.
    warmup: its warm-up.
    factor: the stage's, of the learning rate.
    stage_warmup: the stage's own warm-up.
    fade_in: images in which new blocks, or detail, fade in.
  """

  begin: Any
  planned: Any
  total: Any
  warmup: Any = 0.0
  factor: Any = 1.0
  stage_warmup: Any = 0.0
  fade_in: Any = 0.0

  def rate(self, config: OptimizerConfig, images: Array) -> Array:
    """The learning rate after so many images: a linear warm-up times a half
    cosine from 1 to 0, or times 1; and the stage's factor and warm-up."""
    into = images - self.begin
    seen = self.planned + into
    share = ramp(into, self.stage_warmup) * ramp(seen, self.warmup)
    if config.schedule != "constant":
      progress = jnp.clip(seen / self.total, 0.0, 1.0)
      share = share * 0.5 * (1.0 + jnp.cos(jnp.pi * progress))
    return config.learning_rate * self.factor * share

  def fade(self, images: Array) -> Array:
    """How far new blocks, or detail, have faded in, from 0 to 1."""
    return ramp(images.astype(jnp.float32) - self.begin, self.fade_in)


def ramp(into: Array, length: Array) -> Array:
  """From 0 to 1 within a length; 1 where the length is 0."""
  part = jnp.clip(into / jnp.maximum(length, 1e-6), 0.0, 1.0)
  return jnp.where(length > 0, part, 1.0)


def stage_schedule(
  experiment: Experiment, index: int, begin: int | None = None
) -> Schedule:
  """The schedule of a stage.

  Args:
    experiment: that the stage is of.
    index: of the stage.
    begin: images seen before it, where earlier stages have ended early.
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
    warmup = 0 if before else config.warmup_images  # others have their own
    values |= {"planned": 0, "total": stage.length, "warmup": warmup}
  return Schedule(**{k: np.float32(v) for k, v in values.items()})
