"""The section `stages`: a run as a sequence of stages.

In a config file each field is a tuple with one entry per stage; a single entry
applies to all stages.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from jaxgen.config.fields import (
  NonNegativeInt,
  Positive,
  PositiveInt,
  section,
  unknown_field,
)
from jaxgen.errors import UserError

Remat = Literal["none", "blocks", "full"]
SCHEDULED = (  # runtime inputs of the compiled step, not constants
  "images",
  "learning_rate_factor",
  "warmup_images",
  "fade_images",
)


@section("stages")
class Stage:
  """A part of training at one resolution and batch size."""

  resolution: PositiveInt = 256
  """Side of the tiles in pixels."""
  images: PositiveInt = 1_000_000
  """Images seen in the stage; a maximum if train.advance is adaptive."""
  batch_size: PositiveInt = 64
  """Images per step, over all devices and processes."""
  accumulate: PositiveInt = 1
  """Microbatches per step."""
  patch_size: NonNegativeInt = 0
  """Patch size of the model in this stage; 0: model.patch_size."""
  learning_rate_factor: Positive = 1.0
  """Factor of the learning rate."""
  warmup_images: NonNegativeInt = 0
  """Images of warm-up at the start of the stage, besides the optimizer's."""
  fade_images: NonNegativeInt = 0
  """Images over which new blocks or detail fade in, after the first stage."""
  remat: Remat = "none"
  """Rematerialization: activations recomputed in the backward pass."""

  def __post_init__(self):
    if self.batch_size % self.accumulate:
      raise UserError(
        f"stages.accumulate={self.accumulate} does not divide "
        f"stages.batch_size={self.batch_size}."
      )
    if self.fade_images > self.images:
      raise UserError(
        f"stages.fade_images={self.fade_images}: expected at most "
        f"stages.images={self.images}."
      )

  @property
  def length(self) -> int:
    """Maximum number of images of the stage, in whole batches."""
    return -(-self.images // self.batch_size) * self.batch_size

  @property
  def shapes(self) -> tuple[Any, ...]:
    """The fields that its programs are compiled for."""
    names = [x.name for x in dataclasses.fields(self)]  # pyright: ignore
    return tuple(getattr(self, x) for x in names if x not in SCHEDULED)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdvancePolicy:
  """The rule by which an adaptive stage ends.

  It ends when the held-out metric has risen by less than `tolerance` over the
  last `window` images, but not before a fraction `minimum` of its images.
  """

  window: int
  tolerance: float
  minimum: float

  def due(self, stage: Stage, scores: tuple[tuple[int, float], ...]) -> bool:
    """Whether a stage should end, given its `(images, metric)` so far."""
    seen = scores[-1][0] if scores else 0
    before = [score for images, score in scores if images <= seen - self.window]
    after = [score for images, score in scores if images > seen - self.window]
    least = max(self.minimum * stage.images, stage.fade_images)
    if not before or seen < least:
      return False
    return max(after) < max(before) + self.tolerance


def from_columns(columns: Mapping[str, Any]) -> tuple[Stage, ...]:
  """Stages from tuples of equal length, or of one entry for all.

  Raises:
    UserError: an unknown field, a field that is not a tuple, tuples of unequal
      length, or an invalid value.
  """
  known = [x.name for x in dataclasses.fields(Stage)]  # pyright: ignore
  for name, values in columns.items():
    if name not in known:
      raise UserError(unknown_field(name, known, prefix="stages."))
    if not isinstance(values, tuple):
      raise UserError(f"stages.{name}={values!r}: expected a tuple.")
  longest = max(map(len, columns.values()), default=0)
  if any(len(values) not in (1, longest) for values in columns.values()):
    lengths = ", ".join(f"{k}: {len(v)}" for k, v in columns.items())
    raise UserError(f"stages: tuples of unequal length ({lengths}).")
  if not longest:
    raise UserError("stages: expected at least one stage.")
  full = {k: v * (longest // len(v)) for k, v in columns.items()}
  rows = zip(*full.values(), strict=True)
  return tuple(Stage(**dict(zip(full, row, strict=True))) for row in rows)


def to_columns(stages: tuple[Stage, ...]) -> dict[str, tuple[Any, ...]]:
  """One tuple per field, with a single entry if all stages share it."""
  columns = {}
  for x in dataclasses.fields(Stage):  # pyright: ignore[reportArgumentType]
    values = tuple(getattr(stage, x.name) for stage in stages)
    columns[x.name] = values[:1] if len(set(values)) == 1 else values
  return columns
