"""A run's view in words, numbers and small curves, for terminals and files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from jaxgen.monitor.view import RunView
from jaxgen.workdir.duration import duration
from jaxgen.workdir.metrics_csv import HELDOUT, POSITION

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII = "_.-:=+*#"  # where the output has no blocks


def sparkline(values: Sequence[float], width: int, blocks: str = BLOCKS) -> str:
  """A curve in one line of at most `width` characters, from the lowest value
  to the highest; where there are more values, each shows the mean of several.

  Values that are not finite are left out; where there are no others, a gap is
  left. A curve that never changes is drawn at the bottom.
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


def bar(share: float, width: int, blocks: str = BLOCKS) -> str:
  """A share from 0 to 1 as a bar."""
  full = round(min(max(share, 0.0), 1.0) * width)
  return blocks[-1] * full + blocks[0] * (width - full)


def left(view: RunView, end: int) -> str:
  """The time until `end` images at the current rate; empty where the run does
  not train or the rate is not known."""
  trains = view.state in ("running", "silent") and view.rate > 0
  return duration((end - view.images) / view.rate) if trains and end else ""


def state(view: RunView) -> str:
  """The state of the process, and the time since it last wrote."""
  ago = duration(view.age)
  return {
    "running": f"running, {ago} since it last wrote",
    "silent": f"running, but silent for {ago}",
    "finishing": "finishing: writing its last files",
    "finished": f"finished {ago} ago",
    "stopped": f"stopped: no process, and silent for {ago}",
  }[view.state]


def progress(view: RunView) -> str:
  """The images seen, and the share of all where that is known."""
  if not view.total:
    return f"{view.images:,} images"
  share = view.images / view.total
  return f"{view.images:,} of {view.total:,} images ({share:.0%})"


def lines(
  view: RunView, width: int, blocks: str = BLOCKS
) -> list[tuple[str, str]]:
  """The view as `(label, text)`, curves and bar of at most `width`."""
  entries = [
    ("run", f"{view.workdir}{f', {view.task}' if view.task else ''}"),
    ("state", state(view)),
    ("stage", _stage(view)),
    ("progress", _bar(view, width, blocks)),
    ("speed", _speed(view)),
    *_numbers(view),
    ("loss curve", _curve(view.loss, width, blocks)),
    (f"{_short(view.metric)} curve", _curve(view.scores, width, blocks)),
    ("checkpoints", _checkpoints(view)),
    ("preview", str(view.preview or "")),
    *(("note", note) for note in view.notes),
  ]
  return [(label, text) for label, text in entries if text]


def _stage(view: RunView) -> str:
  of = f" of {view.stages}" if view.stages else ""
  size = f", {view.resolution} pixels" if view.resolution else ""
  return f"{view.stage}{of}{size}"


def _bar(view: RunView, width: int, blocks: str) -> str:
  if not view.step:
    return "no numbers yet"
  share = view.images / view.total if view.total else 0.0
  drawn = f"{bar(share, min(width, 24), blocks)} " if view.total else ""
  return drawn + progress(view)


def _speed(view: RunView) -> str:
  if not view.rate:
    return ""
  run, stage = left(view, view.total), left(view, view.stage_end)
  several = view.stage < view.stages and stage
  rest = f"{stage} left of the stage, {run} of the run" if several else run
  at = f", at that rate {rest}{'' if several else ' left'}" if run else ""
  return f"{view.rate:.1f} images/s{at}"


def _numbers(view: RunView) -> Iterator[tuple[str, str]]:
  """The newest values, those of `GROUP/NAME` by their groups."""
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


def _curve(values: Sequence[float], width: int, blocks: str) -> str:
  finite = [x for x in values if math.isfinite(x)]
  if not finite:
    return ""
  drawn = sparkline(values, width, blocks)
  return f"{drawn}  {min(finite):.4g} to {max(finite):.4g}"


def _checkpoints(view: RunView) -> str:
  names = (
    f"{x} (best)" if x == view.best_checkpoint else str(x)
    for x in view.checkpoints
  )
  return ", ".join(names)


HEAD = ("run", "state", "stage", "images", "images/s", "left", "loss", "best")


def cells(view: RunView, width: int, blocks: str = BLOCKS) -> list[str]:
  """The view as one row under `HEAD`, curves of at most `width`."""
  best = f"{view.best.value:.4g}" if view.best else ""
  return [
    str(view.workdir),
    view.state if view.state == "finishing" else _brief(view),
    f"{view.stage}/{view.stages}" if view.stages else str(view.stage),
    progress(view).replace(" images", ""),
    f"{view.rate:.1f}" if view.rate else "",
    left(view, view.total),
    _with(view.loss, f"{view.latest.get('loss', math.nan):.4g}", width, blocks),
    _with(view.scores, best, width, blocks),
  ]


def _brief(view: RunView) -> str:
  return f"{view.state} {duration(view.age)}"


def _with(values: Sequence[float], text: str, width: int, blocks: str) -> str:
  return f"{text} {sparkline(values, width, blocks)}" if values else ""
