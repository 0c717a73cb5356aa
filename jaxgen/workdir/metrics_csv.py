"""The rows of a run's `metrics.csv`, as far as they are whole."""

from __future__ import annotations

import contextlib
import csv
import pathlib


def read_rows(path: pathlib.Path) -> list[dict[str, str]]:
  """The whole rows of the file, each with its `step`, in rising order.

  The last line may be cut: a disk was full, or it is being written. Where the
  steps start again from an earlier one, the rows before that are the old ones.
  None where there is no file.
  """
  try:
    text = path.read_text(errors="replace").replace("\0", "")
  except FileNotFoundError:
    return []
  lines = text[: text.rfind("\n") + 1].splitlines()
  whole: list[dict[str, str]] = []
  with contextlib.suppress(csv.Error):  # rubbish from there on
    for row in csv.DictReader(lines):
      complete = None not in row and None not in row.values()
      if complete and row.get("step", "").isdecimal():
        _forget_from(int(row["step"]), whole)
        whole.append(row)
  return whole


def _forget_from(step: int, rows: list[dict[str, str]]) -> None:
  while rows and int(rows[-1]["step"]) >= step:
    rows.pop()
