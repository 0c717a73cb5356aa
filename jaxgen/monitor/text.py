"""Text form of the view of a run, with sparklines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from jaxgen.monitor.view import RunView
from jaxgen.workdir.duration import duration
from jaxgen.workdir.metrics_csv import HELDOUT, POSITION

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII = "_.-:=+*#"  # for terminals without block characters


def sparkline(
  values: Sequence[float], width: int, *, blocks: str = BLOCKS
) -> str:
  """A curve as a line of at most `width` characters, scaled from the lowest to
  the highest value; with more values, each character is a mean of several.

  Non-finite values are ignored; a character without finite values is a blank.
  A constant curve is drawn at the bottom.
  """
  if width < 1:
    return ""
  n = min(width, len(values))
  means = [
    _mean(values[i * len(values) // n : (i + 1) * len(values) // n])
    for i in range(n)
  ]
  finite = [x for x in means if x is not None]
  low, high = min(finite, default=0.0), max(finite, default=0.0)
  top = len(blocks) - 1
  scale = top / (high - low) if high > low else 0.0
  return "".join(
    " " if x is None else blocks[min(top, round((x - low) * scale))]
    for x in means
  )


def _mean(values: Sequence[float]) -> float | None:
  finite = [x for x in values if math.isfinite(x)]
  return sum(finite) / len(finite) if finite else None


def bar(fraction: float, width: int, *, blocks: str = BLOCKS) -> str:
  """A progress bar for a fraction in [0, 1]."""
  full = round(min(max(fraction, 0.0), 1.0) * width)
  return blocks[-1] * full + blocks[0] * (width - full)


def time_left(view: RunView, end: int) -> str:
  """The time until `end` images at the current rate; empty if the run is not
  training or the rate is unknown."""
  training = view.state in ("running", "silent") and view.rate > 0
  return duration((end - view.images) / view.rate) if training and end else ""


def state(view: RunView) -> str:
  """The state of the process, and the time since it last wrote."""
  ago = duration(view.age)
  return {
    "running": f"running, last write {ago} ago",
    "silent": f"running, but no write for {ago}",
    "finishing": "finishing: writing its last files",
    "finished": f"finished {ago} ago",
    "stopped": f"stopped: no process, last write {ago} ago",
  }[view.state]


def progress(view: RunView) -> str:
  """The images seen, and their fraction of the total if known."""
  if not view.total:
    return f"{view.images:,} images"
  fraction = view.images / view.total
  return f"{view.images:,} of {view.total:,} images ({fraction:.0%})"


def labeled_lines(
  view: RunView, width: int, *, blocks: str = BLOCKS
) -> list[tuple[str, str]]:
  """The view as lines `(label, text)`; curves and bar have at most `width`
  characters."""
  entries = [
    ("run", f"{view.workdir}{f', {view.task}' if view.task else ''}"),
    ("state", state(view)),
    ("stage", _stage(view)),
    ("progress", _progress_bar(view, width, blocks=blocks)),
    ("speed", _speed(view)),
    *_metrics(view),
    ("loss curve", _curve(view.loss, width, blocks=blocks)),
    (
      f"{_short(view.metric)} curve",
      _curve(view.scores, width, blocks=blocks),
    ),
    ("checkpoints", _checkpoints(view)),
    ("preview", str(view.preview or "")),
    *(("note", note) for note in view.notes),
  ]
  return [(label, text) for label, text in entries if text]


def _stage(view: RunView) -> str:
  total = f" of {view.stages}" if view.stages else ""
  size = f", {view.resolution} pixels" if view.resolution else ""
  return f"{view.stage}{total}{size}"


def _progress_bar(view: RunView, width: int, *, blocks: str) -> str:
  if not view.step:
    return "no metrics yet"
  if not view.total:
    return progress(view)
  drawn = bar(view.images / view.total, min(width, 24), blocks=blocks)
  return f"{drawn} {progress(view)}"


def _speed(view: RunView) -> str:
  if not view.rate:
    return ""
  run, stage = time_left(view, view.total), time_left(view, view.stage_end)
  several = view.stage < view.stages and stage
  rest = f"{stage} left of the stage, {run} of the run" if several else run
  remaining = f", {rest}{'' if several else ' left'}" if run else ""
  return f"{view.rate:.1f} images/s{remaining}"


def _metrics(view: RunView) -> Iterator[tuple[str, str]]:
  """The newest value of each metric, one line per group of names
  `GROUP/NAME`."""
  heldout = HELDOUT.removesuffix("/")
  groups: dict[str, dict[str, float]] = {"": {}, heldout: {}}
  for name, value in view.latest.items():
    if name not in POSITION:
      group, _, short = name.rpartition("/")
      groups.setdefault(group, {})[short] = value
  labels = {"": f"step {view.step}", heldout: "held-out"}
  for group, values in groups.items():
    text = "  ".join(f"{name} {x:.4g}" for name, x in values.items())
    yield labels.get(group, group), text + _best(view) * (group == heldout)


def _best(view: RunView) -> str:
  if view.best is None:
    return ""
  x, several = view.best, f" of stage {view.best.stage}" * (view.stages > 1)
  return f"; best {_short(view.metric)}{several} {x.value:.4g} at step {x.step}"


def _short(metric: str) -> str:
  return metric.removeprefix(HELDOUT)


def _curve(values: Sequence[float], width: int, *, blocks: str) -> str:
  finite = [x for x in values if math.isfinite(x)]
  if not finite:
    return ""
  drawn = sparkline(values, width, blocks=blocks)
  return f"{drawn}  {min(finite):.4g} to {max(finite):.4g}"


def _checkpoints(view: RunView) -> str:
  names = (
    f"{x} (best)" if x == view.best_checkpoint else str(x)
    for x in view.checkpoints
  )
  return ", ".join(names)


HEAD = (
  "run",
  "state, last write",
  "stage",
  "images",
  "images/s",
  "left",
  "loss",
  "best",
)


def table_row(view: RunView, width: int, *, blocks: str = BLOCKS) -> list[str]:
  """The view as a row under `HEAD`; curves have at most `width` characters."""
  loss = f"{view.latest.get('loss', math.nan):.4g}"
  best = f"{view.best.value:.4g}" if view.best else ""
  return [
    str(view.workdir),
    _short_state(view),
    f"{view.stage}/{view.stages}" if view.stages else str(view.stage),
    progress(view).replace(" images", ""),
    f"{view.rate:.1f}" if view.rate else "",
    time_left(view, view.total),
    f"{loss} {sparkline(view.loss, width, blocks=blocks)}" if view.loss else "",
    f"{best} {sparkline(view.scores, width, blocks=blocks)}"
    if view.scores
    else "",
  ]


def _short_state(view: RunView) -> str:
  if view.state == "finishing":
    return view.state
  return f"{view.state}, {duration(view.age)} ago"
