"""A run as its folder shows it, whether it trains, has ended or was killed.

Whatever is damaged or not there yet leaves a part of the view empty.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import pathlib
import time
from collections.abc import Mapping
from typing import Any, Literal

from jaxgen.errors import UserError
from jaxgen.workdir import checkpoint_index, lock
from jaxgen.workdir.metrics_csv import read_rows
from jaxgen.workdir.progress import Progress

State = Literal["running", "silent", "finishing", "finished", "stopped"]
Row = Mapping[str, float]
PATIENCE = 300.0  # seconds, beside three usual intervals, until a run is silent
HELDOUT = "validation/"
PLACE = ("step", "images", "images_per_second", "stage", "resolution")
_FILES = (lock.NAME, "config.json", "metrics.csv", "samples", "checkpoints")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
  """What a config says of a run: its task, and of each stage the resolution and
  the images (whole batches; of an adaptive run at most)."""

  task: str
  resolutions: tuple[int, ...]
  lengths: tuple[int, ...]
  adaptive: bool

  def ends(self, ended: tuple[int, ...]) -> list[int]:
    """Images seen at the end of each stage, where `ended` are over."""
    known = ended if self.adaptive else ()
    return Progress(ended=known).ends(list(self.lengths))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Best:
  """The best held-out value of a stage (from 1), and its step."""

  value: float
  step: int
  stage: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunView:
  """All that is shown of a run; what is not known is 0, empty or None.

  Attributes:
    workdir: the run's folder.
    state: `silent` has a process that wrote nothing for long; `finishing` only
      has its last files to write.
    age: seconds since anything was written.
    task: of the config.
    stage: the current one, from 1, of so many `stages`.
    resolution: of the stage, in pixels.
    step: of the last row.
    images: seen by then.
    stage_end: images seen at the end of the stage.
    total: images seen at the end of the run (adaptive: at most).
    rate: images per second, lately.
    last: the newest value of every column of `metrics.csv`.
    metric: the held-out column that tells the best, higher is better.
    best: its best in the newest stage that has any.
    kept: steps with a checkpoint.
    best_kept: the best of them.
    loss: the training loss of all rows, not finite where it was not.
    scores: the held-out metric of all rows that have it.
    preview: the newest picture.
    notes: what could not be read.
  """

  workdir: pathlib.Path
  state: State
  age: float
  task: str = ""
  stage: int = 0
  stages: int = 0
  resolution: int = 0
  step: int = 0
  images: int = 0
  stage_end: int = 0
  total: int = 0
  rate: float = 0.0
  last: Row = dataclasses.field(default_factory=dict)
  metric: str = ""
  best: Best | None = None
  kept: tuple[int, ...] = ()
  best_kept: int | None = None
  loss: tuple[float, ...] = ()
  scores: tuple[float, ...] = ()
  preview: pathlib.Path | None = None
  notes: tuple[str, ...] = ()


def read_run(workdir: pathlib.Path, now: float | None = None) -> RunView:
  """Look at a run's folder; writes nothing there.

  Args:
    workdir: of `jaxgen train`.
    now: seconds since the epoch, by default of the clock.

  Raises:
    UserError: there is no such folder, or no run in it, or it cannot
      be read.
  """
  try:
    if workdir.is_dir():
      return _read_run(workdir, time.time() if now is None else now)
  except OSError as e:
    reason = e.strerror or type(e).__name__
    raise UserError(f"--workdir={workdir} cannot be read ({reason}).") from e
  raise UserError(f"--workdir={workdir}: there is no such folder.")


def _read_run(workdir: pathlib.Path, now: float) -> RunView:
  alive = lock.held(workdir)
  plan, notes = _read_plan(workdir / "config.json")
  rows = [_numbers(row) for row in read_rows(workdir / "metrics.csv")]
  kept = checkpoint_index.kept(workdir)
  if not (plan or notes or rows or kept or alive):
    raise UserError(
      f"--workdir={workdir} holds no run: name the --workdir of jaxgen train."
    )
  age = max(0.0, now - _touched(workdir))
  ended, done = _ended(plan, rows, kept)
  patience = PATIENCE + 3 * _interval(rows)
  metric = _metric(rows)
  return RunView(
    workdir=workdir,
    state=_state(alive, done, quiet=age > patience),
    age=age,
    notes=notes,
    metric=metric,
    best=_best(rows, metric),
    kept=tuple(x.step for x in kept),
    best_kept=checkpoint_index.best(kept, metric.removeprefix(HELDOUT)),
    loss=_column(rows, "loss"),
    scores=_column(rows, metric),
    preview=_newest(workdir / "samples"),
    **_place(plan, rows, ended),
  )


def _read_plan(path: pathlib.Path) -> tuple[Plan | None, tuple[str, ...]]:
  """The plan, where there is one that can be read, and what to say of it."""
  try:
    config = json.loads(path.read_bytes())
    columns = config["stages"]
    longest = max(map(len, columns.values()))
    images, batches, sizes = (
      [int(x) for x in columns[name] * (longest // len(columns[name]))]
      for name in ("images", "batch_size", "resolution")
    )
    lengths = [-(-n // b) * b for n, b in zip(images, batches, strict=True)]
    return Plan(
      task=str(config["task"]),
      resolutions=(*sizes,),
      lengths=(*lengths,),
      adaptive=config["train"].get("advance") == "adaptive",
    ), ()
  except FileNotFoundError:
    return None, ()
  except Exception as e:  # whatever a file by another hand may hold
    reason = str(e) or type(e).__name__
    return None, (f"{path.name} is damaged: {reason}",)


def _numbers(row: Mapping[str, str]) -> dict[str, float]:
  """The columns of a row that hold a number; where the run is, a finite one."""
  found = {}
  for name, text in row.items():
    with contextlib.suppress(ValueError):
      value = float(text)
      if math.isfinite(value) or name not in PLACE:
        found[name] = value
  return found


def _touched(workdir: pathlib.Path) -> float:
  """When the training last wrote anything, in seconds since the epoch."""
  times = [0.0]
  for name in _FILES:
    with contextlib.suppress(FileNotFoundError):
      times.append((workdir / name).stat().st_mtime)
  return max(times)


def _interval(rows: list[dict[str, float]]) -> float:
  """Seconds from one row to the next, by the last two; 0 if not known."""
  rate = _last(rows).get("images_per_second", 0.0)
  images = _column(rows, "images")[-2:]
  return (images[-1] - images[0]) / rate if images and rate > 0 else 0.0


def _last(rows: list[dict[str, float]]) -> dict[str, float]:
  """The newest value of each column."""
  return {name: value for row in rows for name, value in row.items()}


def _column(rows: list[dict[str, float]], name: str) -> tuple[float, ...]:
  return tuple(row[name] for row in rows if name in row)


def _metric(rows: list[dict[str, float]]) -> str:
  """The held-out column that tells the best: PSNR, else the first but loss."""
  names = [n for n in _last(rows) if n.startswith(HELDOUT)]
  names.sort(key=lambda n: (n != f"{HELDOUT}psnr", n == f"{HELDOUT}loss"))
  return names[0] if names else ""


def _best(rows: list[dict[str, float]], metric: str) -> Best | None:
  """Of the newest stage: other resolutions' values cannot be compared."""
  scored = [
    Best(value=r[metric], step=int(r.get("step", 0)), stage=_stage(r))
    for r in rows
    if math.isfinite(r.get(metric, math.nan))
  ]
  return max(scored, key=lambda x: (x.stage, x.value), default=None)


def _stage(row: Row) -> int:
  """From 1; the rows of older versions do not say."""
  return int(row.get("stage", 1))


def _ended(
  plan: Plan | None,
  rows: list[dict[str, float]],
  kept: list[checkpoint_index.Kept],
) -> tuple[tuple[int, ...], bool]:
  """Images at the end of the stages that are over, and whether all are.

  A stage's last row is of its end. Only a checkpoint tells that the last stage
  is over; those of older versions do not say, then the images do.
  """
  seen = {_stage(row): int(row.get("images", 0)) for row in rows}
  before = tuple(seen[stage] for stage in sorted(seen)[:-1])
  told = _told(kept)
  if told is None:
    images = max(seen.values(), default=0)
    return before, bool(plan and rows and images >= plan.ends(before)[-1])
  over = bool(plan and told and told[-1] >= plan.ends(told)[-1])
  return max(told, before, key=len), over


def _told(kept: list[checkpoint_index.Kept]) -> tuple[int, ...] | None:
  """What the newest checkpoint tells; None where it does not."""
  try:
    return Progress.read({"ended": kept[-1].meta["ended"]}).ended
  except (IndexError, KeyError, TypeError, ValueError):
    return None


def _state(alive: bool | None, done: bool, *, quiet: bool) -> State:
  if done:
    return "finishing" if alive else "finished"
  if alive is False:
    return "stopped"
  return "silent" if quiet else "running"


def _place(
  plan: Plan | None, rows: list[dict[str, float]], ended: tuple[int, ...]
) -> dict[str, Any]:
  """The fields of a view that tell how far the run is."""
  last = _last(rows)
  images, stage = int(last.get("images", 0)), _stage(last)
  place: dict[str, Any] = {
    "last": last,
    "step": int(last.get("step", 0)),
    "images": images,
    "rate": last.get("images_per_second", 0.0),
    "resolution": int(last.get("resolution", 0)),
    "stage": stage,
  }
  if plan is None:
    return place
  ends = plan.ends(ended)
  begun = 1 + sum(images >= end for end in ends)
  stage = min(max(stage, begun), len(ends))
  return place | {
    "task": plan.task,
    "stage": stage,
    "stages": len(ends),
    "resolution": plan.resolutions[stage - 1],
    "stage_end": ends[stage - 1],
    "total": ends[-1],
  }


def _newest(folder: pathlib.Path) -> pathlib.Path | None:
  """After a resume the pictures of later steps may be the older ones."""
  found = [(_time(x), x) for x in folder.glob("*.png")]
  return max(found)[1] if found else None


def _time(path: pathlib.Path) -> float:
  try:
    return path.stat().st_mtime
  except OSError:  # just removed
    return 0.0
