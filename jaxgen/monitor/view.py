"""The view of a run from its folder, whether it is training, ended or killed.

Parts of the view are empty if their files are missing or damaged.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import pathlib
import time
from collections.abc import Sequence
from typing import Literal

from jaxgen.config.experiment import Experiment
from jaxgen.errors import UserError
from jaxgen.monitor import hint
from jaxgen.monitor.position import locate, stage_of
from jaxgen.workdir import checkpoint_index, lock, metrics_csv, run_config
from jaxgen.workdir.metrics_csv import HELDOUT, Row, column, latest

State = Literal["running", "silent", "finishing", "finished", "stopped"]
PATIENCE = 300.0  # seconds, plus three log intervals, until a run is silent
_PREVIEWS = "samples"
_WRITTEN = (
  lock.NAME,
  run_config.CONFIG,
  metrics_csv.NAME,
  _PREVIEWS,
  checkpoint_index.FOLDER,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Best:
  """The best held-out value, with its step and stage (from 1)."""

  value: float
  step: int
  stage: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunView:
  """The view of a run; unknown values are 0, empty or None.

  Attributes:
    workdir: the run's folder or address.
    state: `silent`: the process has not written for a long time; `finishing`:
      only the last files are missing.
    age: seconds since the last write.
    task: the model family.
    stage: the current stage, from 1.
    stages: number of stages.
    resolution: resolution of the current stage, in pixels.
    step: finished updates at the last row.
    images: images seen at the last row.
    stage_end: images seen at the end of the stage.
    total: images seen at the end of the run; a maximum if adaptive.
    rate: images per second at the last row.
    latest: the newest value of each column of `metrics.csv`.
    metric: held-out column that selects the best, higher is better.
    best: best value of the metric in the newest stage that has any.
    checkpoints: steps with a checkpoint, oldest first.
    best_checkpoint: step of the best checkpoint.
    loss: training loss of all rows; may be non-finite.
    scores: held-out metric of all rows that have it.
    preview: the newest preview image.
    notes: files that could not be read, and doubts about the run.
  """

  workdir: pathlib.Path | str
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
  latest: Row = dataclasses.field(default_factory=dict)
  metric: str = ""
  best: Best | None = None
  checkpoints: tuple[int, ...] = ()
  best_checkpoint: int | None = None
  loss: tuple[float, ...] = ()
  scores: tuple[float, ...] = ()
  preview: pathlib.Path | None = None
  notes: tuple[str, ...] = ()


def read_run(
  workdir: pathlib.Path,
  now: float | None = None,
  *,
  address: str = "",
  alive: bool | None = None,
) -> RunView:
  """The view of a run's folder, which is not modified.

  Args:
    workdir: the run's folder.
    now: seconds since the epoch; None: the current time.
    address: that of the run whose copy the folder is, if of any.
    alive: whether its process is alive; None: the folder's lock says it.

  Raises:
    UserError: the folder is missing, has no run, or cannot be read.
  """
  try:
    if workdir.is_dir():
      alive = lock.is_held(workdir) if alive is None else alive
      now = time.time() if now is None else now
      view = _read_run(workdir, now, alive)
      return dataclasses.replace(view, workdir=address or workdir)
  except OSError as e:
    reason = e.strerror or type(e).__name__
    raise UserError(f"--workdir={workdir} cannot be read ({reason}).") from e
  found = "got a file" if workdir.exists() else "no such folder"
  raise UserError(f"--workdir={workdir}: {found}; expected that of a run.")


def _read_run(workdir: pathlib.Path, now: float, alive: bool | None) -> RunView:
  experiment, notes = _read_experiment(workdir)
  rows = metrics_csv.read_rows(workdir / metrics_csv.NAME)
  checkpoints = checkpoint_index.list_checkpoints(workdir)
  if not (experiment or notes or rows or checkpoints or alive):
    raise UserError(
      f"--workdir={workdir} holds no run: expected the --workdir of jaxgen "
      "train."
    )
  age = max(0.0, now - _last_written(workdir))
  quiet = age > PATIENCE + 3 * _interval(rows)
  position = locate(experiment, rows, checkpoints)
  newest, metric = latest(rows), _metric(rows)
  return RunView(
    workdir=workdir,
    state=_state(alive, finished=position.finished, quiet=quiet),
    age=age,
    task=experiment.task if experiment else "",
    stage=position.stage,
    stages=position.stages,
    resolution=position.resolution,
    step=int(newest.get("step", 0)),
    images=int(newest.get("images", 0)),
    stage_end=position.stage_end,
    total=position.total,
    rate=newest.get("images_per_second", 0.0),
    latest=newest,
    metric=metric,
    best=_best(rows, metric),
    checkpoints=tuple(x.step for x in checkpoints),
    best_checkpoint=checkpoint_index.best_step(
      checkpoints, metric.removeprefix(HELDOUT)
    ),
    loss=column(rows, "loss"),
    scores=column(rows, metric),
    preview=_newest_preview(workdir / _PREVIEWS),
    notes=notes + hint.notes(rows, position.total),
  )


def _read_experiment(
  workdir: pathlib.Path,
) -> tuple[Experiment | None, tuple[str, ...]]:
  """The config, or notes on why it cannot be read."""
  if not run_config.is_recorded(workdir):
    return None, ()
  try:
    return run_config.read_experiment(workdir), ()
  except UserError as e:
    return None, (str(e),)


def _last_written(workdir: pathlib.Path) -> float:
  """The time of the training run's last write, in seconds since the epoch."""
  times = [0.0]
  for name in _WRITTEN:
    with contextlib.suppress(FileNotFoundError):
      times.append((workdir / name).stat().st_mtime)
  return max(times)


def _interval(rows: Sequence[Row]) -> float:
  """The seconds between the last two rows; 0 if unknown."""
  rate = latest(rows).get("images_per_second", 0.0)
  images = column(rows, "images")[-2:]
  return (images[-1] - images[0]) / rate if images and rate > 0 else 0.0


def _metric(rows: Sequence[Row]) -> str:
  """The held-out column that selects the best: PSNR, else the first one that is
  not the loss."""
  names = [n for n in latest(rows) if n.startswith(HELDOUT)]
  names.sort(key=lambda n: (n != f"{HELDOUT}psnr", n == f"{HELDOUT}loss"))
  return names[0] if names else ""


def _best(rows: Sequence[Row], metric: str) -> Best | None:
  """The best value of the newest stage; values at different resolutions are not
  comparable."""
  scored = [
    Best(value=r[metric], step=int(r.get("step", 0)), stage=stage_of(r))
    for r in rows
    if math.isfinite(r.get(metric, math.nan))
  ]
  return max(scored, key=lambda x: (x.stage, x.value), default=None)


def _state(alive: bool | None, *, finished: bool, quiet: bool) -> State:
  if finished:
    return "finishing" if alive else "finished"
  if alive is False:
    return "stopped"
  return "silent" if quiet else "running"


def _newest_preview(folder: pathlib.Path) -> pathlib.Path | None:
  """The most recently written image; after a resume, images of later steps may
  be older."""
  images = [(_modified(x), x) for x in folder.glob("*.png")]
  return max(images)[1] if images else None


def _modified(path: pathlib.Path) -> float:
  try:
    return path.stat().st_mtime
  except OSError:  # just removed
    return 0.0
