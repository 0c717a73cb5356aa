"""Schedules of learning rate and fade-in, and a stage's position in them, and
of evaluations and previews.

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

LOOKS = (0.05, 0.25, 0.5, 0.75)  # of a run, after which it is looked at


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Events:
  """The images after which an event takes place; a function of the config only,
  so that a resumed run has the same events.

  Attributes:
    every: images between two events; 0: no interval.
    extra: images of further events.
  """

  every: int
  extra: tuple[int, ...] = ()

  def regular(self, images: int, batch: int) -> bool:
    """Whether an event of the interval falls into the batch that ends after
    `images`."""
    return self.every > 0 and images // self.every > (
      (images - batch) // self.every
    )

  def due(self, images: int, batch: int) -> bool:
    """Whether any event falls into the batch that ends after `images`."""
    extra = any(images - batch < x <= images for x in self.extra)
    return extra or self.regular(images, batch)


def looks(every: int, total: int) -> Events:
  """The evaluations or previews of a run of `total` images: those at an
  interval, and those at `LOOKS` before which there is none since the previous
  one. With that at its end, a run has at least five."""
  marks = [round(total * share) for share in LOOKS]
  pairs = zip((0, *marks), marks, strict=False)
  extra = (b for a, b in pairs if not every or a // every == b // every)
  return Events(every=every, extra=tuple(x for x in extra if x))
