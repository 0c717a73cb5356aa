"""The position of a run in its stages, from its metrics and checkpoints."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from jaxgen.config.experiment import Experiment
from jaxgen.workdir.checkpoint_index import CheckpointInfo
from jaxgen.workdir.metrics_csv import Row, latest
from jaxgen.workdir.progress import Progress


@dataclasses.dataclass(frozen=True, kw_only=True)
class Position:
  """The position of a run; unknown values are 0.

  Attributes:
    stage: the current stage, from 1.
    stages: number of stages.
    resolution: resolution of the current stage, in pixels.
    stage_end: images seen at the end of the current stage.
    total: images seen at the end of the run; a maximum if adaptive.
    finished: whether all stages are finished.
  """

  stage: int
  stages: int = 0
  resolution: int = 0
  stage_end: int = 0
  total: int = 0
  finished: bool = False


def stage_of(row: Row) -> int:
  """The stage of a row, from 1."""
  return int(row.get("stage", 1))


def locate(
  experiment: Experiment | None,
  rows: Sequence[Row],
  checkpoints: Sequence[CheckpointInfo],
) -> Position:
  """The position after the last row."""
  newest = latest(rows)
  images, stage = int(newest.get("images", 0)), stage_of(newest)
  if experiment is None:
    return Position(stage=stage, resolution=int(newest.get("resolution", 0)))
  by_rows, by_checkpoint = _ended_by_rows(rows), _ended_at(checkpoints)
  if by_checkpoint is None:
    ends = _ends(experiment, by_rows)
    finished = bool(rows) and images >= ends[-1]
  else:
    ends = _ends(experiment, max(by_checkpoint, by_rows, key=len))
    last = _ends(experiment, by_checkpoint)[-1]
    finished = bool(by_checkpoint) and by_checkpoint[-1] >= last
  begun = 1 + sum(images >= end for end in ends)
  stage = min(max(stage, begun), len(ends))
  return Position(
    stage=stage,
    stages=len(ends),
    resolution=experiment.stages[stage - 1].resolution,
    stage_end=ends[stage - 1],
    total=ends[-1],
    finished=finished,
  )


def _ends(experiment: Experiment, ended: tuple[int, ...]) -> list[int]:
  """The images seen at the end of each stage, given those of finished stages,
  `ended`."""
  adaptive = experiment.advance_policy is not None
  progress = Progress(ended=ended if adaptive else ())
  return progress.ends(experiment.lengths)


def _ended_by_rows(rows: Sequence[Row]) -> tuple[int, ...]:
  """The ends of all stages before the newest: the images of their last
  rows."""
  seen = {stage_of(row): int(row.get("images", 0)) for row in rows}
  return tuple(seen[stage] for stage in sorted(seen)[:-1])


def _ended_at(
  checkpoints: Sequence[CheckpointInfo],
) -> tuple[int, ...] | None:
  """The ends of stages in the newest checkpoint, the only record of the end of
  the last stage; None if its metadata cannot be read."""
  try:
    ended = checkpoints[-1].metadata["ended"]
    return Progress.from_metadata({"ended": ended}).ended
  except (LookupError, TypeError, ValueError, OverflowError):
    return None
