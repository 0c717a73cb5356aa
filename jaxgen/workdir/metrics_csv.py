"""The reader of a run's `metrics.csv`.

Each row is a step. The last line may be incomplete: the disk was full, or it is
being written. Rows that were followed by a resume from an earlier step are
superseded. Callers see neither.
"""

from __future__ import annotations

import contextlib
import csv
import math
import pathlib
from collections.abc import Iterable, Mapping, Sequence

NAME = "metrics.csv"
HELDOUT = "validation/"  # prefix of the columns of held-out metrics
POSITION = ("step", "images", "images_per_second", "stage", "resolution")

Row = Mapping[str, float]
Curve = list[tuple[float, float]]  # images seen, value


def read_text_rows(path: pathlib.Path) -> list[dict[str, str]]:
  """The complete rows of the file as text, in increasing order of `step`.

  Returns:
    The rows; none if there is no file.

  Raises:
    OSError: the file cannot be read.
  """
  try:
    text = path.read_text(errors="replace").replace("\0", "")
  except FileNotFoundError:
    return []
  lines = text[: text.rfind("\n") + 1].splitlines()
  rows: list[dict[str, str]] = []
  with contextlib.suppress(csv.Error):  # corrupt from here on
    for row in csv.DictReader(lines):
      whole = None not in row and None not in row.values()
      if whole and _is_step(row.get("step", "")):
        _drop_superseded(int(row["step"]), rows)
        rows.append(row)
  return rows


def _is_step(text: str) -> bool:
  return text.isdecimal() and len(text) < 19


def damage(path: pathlib.Path, *, step: int) -> str:
  """What a writer would lose if it kept only the rows up to a step, as
  `read_text_rows` reads them, other than rows past the step.

  Returns:
    A reason, or "" if nothing would be lost.

  Raises:
    OSError: the file cannot be read.
  """
  try:
    text = path.read_bytes().decode()
  except FileNotFoundError:
    return ""
  except UnicodeDecodeError:
    return "it is not text"
  end = text.rfind("\n") + 1
  first, comma, _ = text[end:].partition(",")
  is_past = comma and _is_step(first) and int(first) > step
  if text[end:] and not is_past:
    return "its last line is incomplete"
  return _damaged_line(text[:end].splitlines())


def _damaged_line(lines: Sequence[str]) -> str:
  """The first line that is not a row of the next steps; "" if all are."""
  if not any(lines):
    return ""
  header, previous = next(csv.reader(lines[:1])), -1
  if header[0] != "step":
    return "its first column is not `step`"
  for number, line in enumerate(lines[1:], 2):
    cells = line.split(",")
    if len(cells) != len(header) or not _is_step(cells[0]) or '"' in line:
      return f"line {number} is not a row"
    if int(cells[0]) <= previous:
      return f"line {number} is not in order"
    previous = int(cells[0])
  return ""


def _drop_superseded(step: int, rows: list[dict[str, str]]) -> None:
  while rows and int(rows[-1]["step"]) >= step:
    rows.pop()


def read_rows(path: pathlib.Path) -> list[Row]:
  """The rows of the file as numbers; other cells are left out.

  Metrics may be infinite or NaN; the columns of `POSITION` may not.

  Raises:
    OSError: the file cannot be read.
  """
  return [_numbers(row) for row in read_text_rows(path)]


def read(workdir: pathlib.Path) -> list[Row]:
  """The rows of a run; none if its file is missing or cannot be read."""
  with contextlib.suppress(OSError):
    return read_rows(workdir / NAME)
  return []


def _numbers(row: Mapping[str, str]) -> Row:
  numbers = {}
  for name, text in row.items():
    with contextlib.suppress(ValueError):
      value = float(text)
      if math.isfinite(value) or name not in POSITION:
        numbers[name] = value
  return numbers


def column(rows: Iterable[Row], name: str) -> tuple[float, ...]:
  """The values of a column, in the order of the rows that have one."""
  return tuple(row[name] for row in rows if name in row)


def curve(rows: Iterable[Row], name: str) -> Curve:
  """The finite values of a column against the images seen."""
  return [
    (row["images"], row[name])
    for row in rows
    if "images" in row and math.isfinite(row.get(name, math.nan))
  ]


def latest(rows: Iterable[Row]) -> dict[str, float]:
  """The newest value of each column."""
  return {name: value for row in rows for name, value in row.items()}


def at_step(rows: Iterable[Row], step: int) -> Row:
  """The row of a step; empty if there is none."""
  return next((row for row in rows if row.get("step") == step), {})


def training_time(rows: Sequence[Row]) -> tuple[int, float] | None:
  """The images seen and the seconds of training that they took; None if no row
  has a speed."""
  images, seconds = 0, 0.0
  for row in rows:
    speed = row.get("images_per_second", 0.0)
    if speed > 0 and "images" in row:
      seconds += (row["images"] - images) / speed
      images = int(row["images"])
  return (images, seconds) if images else None
