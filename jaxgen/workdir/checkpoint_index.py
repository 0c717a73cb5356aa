"""Index of a run's checkpoints, read without Orbax or JAX."""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

FOLDER = "checkpoints"
SCORES = "metrics/metrics"  # within a checkpoint
STAGE_WEIGHT = 1e6  # larger than any difference of metrics


@dataclasses.dataclass(frozen=True, kw_only=True)
class CheckpointInfo:
  """Step, metrics and metadata of a complete checkpoint; parts that cannot be
  read are empty.

  Attributes:
    step: finished updates.
    scores: held-out metrics at that step.
    metadata: the run's position at the save (`stage`, `ended`, ...).
  """

  step: int
  scores: Mapping[str, float]
  metadata: Mapping[str, Any]


def rank(scores: Mapping[str, float], metric: str) -> float:
  """The number that ranks checkpoints, higher is better: later stages first,
  since metrics at different resolutions are not comparable."""
  stage = scores.get("stage", 0)
  return scores.get(metric, -math.inf) + STAGE_WEIGHT * stage


def read_scores(path: pathlib.Path) -> dict[str, float]:
  """The held-out metrics in a checkpoint's file `metrics/metrics`.

  Raises:
    ValueError: the file is damaged.
    OSError: the file is missing.
  """
  scores = json.loads(path.read_bytes())
  if not isinstance(scores, dict):
    raise ValueError(f"{path}: expected a table of metrics")
  if not all(isinstance(x, float | int) for x in scores.values()):
    raise ValueError(f"{path}: expected numbers only")
  return scores


def list_checkpoints(workdir: pathlib.Path) -> list[CheckpointInfo]:
  """The complete checkpoints of a run, oldest first; writes nothing."""
  folder = workdir / FOLDER
  steps = sorted(int(x.name) for x in folder.glob("*") if x.name.isdecimal())
  return [_describe(folder / str(step)) for step in steps]


def _describe(folder: pathlib.Path) -> CheckpointInfo:
  """The index entry of a checkpoint, which may be deleted meanwhile."""
  try:
    scores = read_scores(folder / SCORES)
  except (OSError, ValueError):
    scores = {}
  try:
    content = json.loads((folder / "_CHECKPOINT_METADATA").read_bytes())
    metadata = dict(content["custom_metadata"])
  except (OSError, ValueError, TypeError, KeyError):
    metadata = {}
  return CheckpointInfo(step=int(folder.name), scores=scores, metadata=metadata)


def best_step(checkpoints: Sequence[CheckpointInfo], metric: str) -> int | None:
  """The step of the best checkpoint; None if none has the metric."""
  scored = [x for x in checkpoints if metric in x.scores]
  best = max(scored, key=lambda x: rank(x.scores, metric), default=None)
  return None if best is None else best.step


def damaged_scores(workdir: pathlib.Path) -> list[pathlib.Path]:
  """The damaged files of held-out metrics; a single one keeps Orbax from
  opening any checkpoint of the run."""
  damaged = []
  for path in (workdir / FOLDER).glob(f"*/{SCORES}"):
    try:
      read_scores(path)
    except FileNotFoundError:  # just deleted by a training run
      continue
    except ValueError:
      damaged.append(path)
  return damaged
