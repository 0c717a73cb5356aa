"""Results of a sweep's phase, as plain values and as a CSV table."""

from __future__ import annotations

import csv
import dataclasses
import io
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from jaxgen.formats.atomic import replacing
from jaxgen.formats.csv_cells import cell
from jaxgen.report.cells import Row
from jaxgen.report.svg import Points


@dataclasses.dataclass(frozen=True, kw_only=True)
class Column:
  """A measure in a table.

  Attributes:
    title: title of the column.
    form: format specification of the values.
    descending: whether the largest value is the best.
  """

  title: str
  form: str = ".4g"
  descending: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class PhaseReport:
  """The results of a phase, as plain values.

  Attributes:
    name: name of the phase.
    folder: folder of the phase, with a folder for each run.
    facts: what the page was made of, by name.
    summary: a line that describes the comparison.
    metric: measure that selects the best run.
    columns: measures of runs, by name, the metric first.
    costs: measures against which the metric is plotted.
    settings: overrides of each run, in the order of their colors.
    rows: measures of the finished runs, from best to worst.
    errors: errors of the failed runs.
    winner: the selected run; empty: none.
    reason: why it was selected.
    groups: runs of each comparison within the phase, by title.
    curves: points of each run, by title of the vertical axis.
  """

  name: str
  folder: pathlib.Path
  facts: Mapping[str, str]
  summary: str
  metric: str
  columns: Mapping[str, Column]
  costs: Sequence[str]
  settings: Mapping[str, Mapping[str, Any]]
  rows: Mapping[str, Row]
  errors: Mapping[str, str]
  winner: str
  reason: str
  groups: Mapping[str, Sequence[str]]
  curves: Mapping[str, Mapping[str, Points]]

  @property
  def numbers(self) -> dict[str, int]:
    """The numbers of the runs, which determine their colors."""
    return {run: i for i, run in enumerate(self.settings)}


def write_phase_csv(path: pathlib.Path, report: PhaseReport) -> None:
  """Write one line per run: its settings and its measures or error."""
  others = {k for row in report.rows.values() for k in row} - {"latents"}
  names = [*report.columns, *sorted(others - set(report.columns))]
  settings = dict.fromkeys(k for x in report.settings.values() for k in x)
  text = io.StringIO(newline="")
  writer = csv.DictWriter(
    text,
    ["run", "status", *settings, *names, "error"],
    restval="",
    extrasaction="ignore",
  )
  writer.writeheader()
  for run in [*report.rows, *report.errors]:
    row = _csv_row(report, run)
    writer.writerow({name: cell(value) for name, value in row.items()})
  with replacing(path) as file:
    file.write(text.getvalue().encode(errors="surrogateescape"))


def _csv_row(report: PhaseReport, run: str) -> dict[str, Any]:
  return {
    "run": run,
    "status": "failed" if run in report.errors else "finished",
    **{k: str(v) for k, v in report.settings[run].items()},
    **report.rows.get(run, {}),
    "error": report.errors.get(run, ""),
  }
