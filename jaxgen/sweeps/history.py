"""The numbers that runs wrote down while they were trained."""

from __future__ import annotations

import csv
import math
import pathlib

from jaxgen.sweeps.metrics import OF_TASK

Curve = list[tuple[float, float]]  # images seen, value


def read_history(workdir: pathlib.Path) -> list[dict[str, str]]:
  """Rows of a run's `metrics.csv`; none where it is not there or damaged."""
  try:
    text = (workdir / "metrics.csv").read_text(errors="replace")
  except OSError:
    return []
  rows = csv.DictReader(text.replace("\0", "").splitlines())
  return [{k: v for k, v in row.items() if k and v} for row in rows]


def number(text: str | None) -> float | None:
  """A finite number, or None."""
  try:
    value = float(text or "")
  except ValueError:
    return None
  return value if math.isfinite(value) else None


def curve(workdir: pathlib.Path, column: str) -> Curve:
  """A column of a run's `metrics.csv` against images seen."""
  points = [
    (number(row.get("images")), number(row.get(column)))
    for row in read_history(workdir)
  ]
  return [(x, y) for x, y in points if x is not None and y is not None]


def held_out(name: str) -> str:
  """The column in which a metric of a sweep lies."""
  return name if name.startswith(OF_TASK) else OF_TASK + name
