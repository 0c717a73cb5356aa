"""What lies below a run's `checkpoints/`, read without Orbax or JAX."""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
from typing import Any

LATER = 1e6  # more than any two metrics differ


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kept:
  """A complete checkpoint: its step, held-out metrics, and what it was saved
  with (`stage`, `ended`, ...); empty where these cannot be read."""

  step: int
  scores: dict[str, float]
  meta: dict[str, Any]


def score(scores: dict[str, float], metric: str) -> float:
  """What tells the best checkpoint, higher is better: later stages first, for
  metrics of other resolutions cannot be compared."""
  return scores.get(metric, -math.inf) + LATER * scores.get("stage", 0)


def read_scores(path: pathlib.Path) -> dict[str, float]:
  """The held-out metrics in a checkpoint's file `metrics/metrics`.

  Raises:
    ValueError: it is damaged.
    OSError: it is not there.
  """
  scores = json.loads(path.read_bytes())
  if not isinstance(scores, dict):
    raise ValueError(f"{path} is no table of metrics")
  if not all(isinstance(x, float | int) for x in scores.values()):
    raise ValueError(f"{path} holds more than numbers")
  return scores


def kept(workdir: pathlib.Path) -> list[Kept]:
  """The complete checkpoints of a run, oldest first; touches nothing."""
  folders = (workdir / "checkpoints").glob("*")
  steps = sorted(int(x.name) for x in folders if x.name.isdecimal())
  return [_kept(workdir / "checkpoints" / str(x)) for x in steps]


def _kept(folder: pathlib.Path) -> Kept:
  """They may be deleted while they are read."""
  try:
    scores = read_scores(folder / "metrics" / "metrics")
  except (OSError, ValueError):
    scores = {}
  try:
    found = json.loads((folder / "_CHECKPOINT_METADATA").read_bytes())
    meta = dict(found["custom_metadata"])
  except (OSError, ValueError, TypeError, KeyError):
    meta = {}
  return Kept(step=int(folder.name), scores=scores, meta=meta)


def best(checkpoints: list[Kept], metric: str) -> int | None:
  """The step of the best of them; None where none has the metric."""
  found = [x for x in checkpoints if metric in x.scores]
  key = lambda x: score(x.scores, metric)  # noqa: E731
  return max(found, key=key).step if found else None
