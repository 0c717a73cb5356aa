"""Where a stage stands in the schedules of its run.

Schedules are functions of images seen, not of steps, so that they stay where
they are when a stage changes the batch size. A stage's place in them is numbers
that its step is given, not code, so that stages of the same shapes share one
compiled program whatever their rates.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.tasks.task import Stage
from jaxgen.train.optimizer import OptimizerOptions
from jaxgen.typing import Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
  """A stage's schedules; all but `factor` are numbers of images.

  Attributes:
    begin: seen before the stage.
    planned: where the schedule of the rate stands then: what early ends of
      other stages leave out is skipped.
    total: the length of that schedule.
    rise: its warm-up.
    factor: the stage's, of the rate.
    warmup: the stage's own.
    fade: in which what is new fades in.
  """

  begin: Any
  planned: Any
  total: Any
  rise: Any = 0.0
  factor: Any = 1.0
  warmup: Any = 0.0
  fade: Any = 0.0

  def rate(self, options: OptimizerOptions, images: Array) -> Array:
    """The learning rate after so many images: a linear warm-up times a half
    cosine from 1 to 0, or times 1; and the stage's factor and warm-up."""
    into = images - self.begin
    seen = self.planned + into
    share = ramp(into, self.warmup) * ramp(seen, self.rise)
    if options.schedule != "constant":
      progress = jnp.clip(seen / self.total, 0.0, 1.0)
      share = share * 0.5 * (1.0 + jnp.cos(jnp.pi * progress))
    return options.learning_rate * self.factor * share

  def faded(self, images: Array) -> Array:
    """The share by which what is new has faded in, from 0 to 1."""
    return ramp(images.astype(jnp.float32) - self.begin, self.fade)


def ramp(into: Array, length: Array) -> Array:
  """From 0 to 1 within a length; 1 where there is none."""
  part = jnp.clip(into / jnp.maximum(length, 1e-6), 0.0, 1.0)
  return jnp.where(length > 0, part, 1.0)


def schedule(
  stages: Sequence[Stage],
  options: OptimizerOptions,
  index: int,
  begin: int | None = None,
) -> Schedule:
  """The pace of a stage; `begin`: images seen before it, where earlier stages
  have ended early. The schedule is the run's, or one for each stage."""
  row, lengths = stages[index], [stage.length for stage in stages]
  before = sum(lengths[: index % len(stages)])
  found = {
    "begin": before if begin is None else begin,
    "planned": before,
    "total": sum(lengths),
    "rise": options.warmup_images,
    "factor": row.rate,
    "warmup": row.warmup_images,
    "fade": row.fade_images,
  }
  if options.schedule == "stage_cosine":
    rise = 0 if before else options.warmup_images  # the others have their own
    found |= {"planned": 0, "total": row.length, "rise": rise}
  return Schedule(**{k: np.float32(v) for k, v in found.items()})
