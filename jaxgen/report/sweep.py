"""A phase as files: a CSV table of its runs, and one page to look at."""

from __future__ import annotations

import csv
import pathlib
from collections.abc import Mapping
from typing import Any

from jaxgen.formats.atomic import replacing
from jaxgen.report import charts, diagnostics, html, pictures
from jaxgen.report.cells import name_cell, number_cell
from jaxgen.report.charts import Series
from jaxgen.sweeps.choice import Choice, Row, ranked
from jaxgen.sweeps.metrics import FACTS, METRICS, column, metric
from jaxgen.sweeps.spec import Phase
from jaxgen.workdir import metrics_csv

Rows = Mapping[str, Row]

NOTE = (
  "Measured on the run's validation tiles with the averaged weights of the "
  "best checkpoint; images on [0, 1]. Fine detail: radial frequencies above a "
  "quarter of a period per pixel (waves shorter than four pixels); what all "
  "frequencies have adds up to the MSE. Memory is that of the compiled "
  "training step on each device; images/s is the median of the log, while "
  "other runs may have shared the machine. Latent numbers are those of one "
  "image; compression is pixels' numbers over them."
)


def write(
  folder: pathlib.Path,
  phase: Phase,
  rows: Rows,
  errors: Mapping[str, str],
  choice: Choice | None,
) -> None:
  """Write `metrics.csv` and `report.html` of a phase.

  Args:
    folder: of the phase, with a folder for each run.
    phase: what was compared.
    rows: measures of the finished runs, by name.
    errors: of the failed ones.
    choice: the winner; None: there is none yet.
  """
  order = ranked(phase, rows)
  rows = {run: rows[run] for run in order}
  write_csv(folder / "metrics.csv", phase, rows, errors)
  numbers = {run: i for i, run in enumerate(phase.runs)}
  parts = [
    html.paragraph(_summary(phase, rows, errors), "soft"),
    _recommended(choice),
    _table(phase, rows, numbers, choice),
    _failed(errors),
    *_groups(phase, rows, numbers),
    *_plots(folder, phase, rows, numbers, choice),
    *pictures.held_out(folder, list(rows), numbers),
    *diagnostics.latents(rows, numbers),
    html.paragraph(NOTE, "soft"),
  ]
  html.write(folder / "report.html", phase.name, parts)


def columns(phase: Phase, rows: Rows) -> dict[str, Any]:
  """The measures that at least one run has: the phase's metric first."""
  found = {phase.metric: metric(phase.metric, phase.direction)}
  found |= METRICS | FACTS
  return {k: v for k, v in found.items() if any(k in r for r in rows.values())}


def write_csv(
  path: pathlib.Path, phase: Phase, rows: Rows, errors: Mapping[str, str]
) -> None:
  """One line for each run: what was set, what was measured, or its error."""
  names = [*columns(phase, rows)]
  names += sorted({k for r in rows.values() for k in r if k not in names})
  names = [k for k in names if k != "latents"]
  settings = list(dict.fromkeys(k for x in phase.runs.values() for k in x))
  head = ["run", "status", *settings, *names, "error"]
  with replacing(path) as file:
    text = _Text(file)
    writer = csv.DictWriter(text, head, restval="", extrasaction="ignore")
    writer.writeheader()
    for run in [*rows, *errors]:
      state = {"status": "failed" if run in errors else "finished"}
      shown = {k: str(v) for k, v in phase.runs[run].items()}
      error = {"error": errors.get(run, "")}
      row = {"run": run, **state, **shown, **rows.get(run, {}), **error}
      writer.writerow(row)


class _Text:
  """A binary file as csv writes to it."""

  def __init__(self, file: Any):
    self._file = file

  def write(self, text: str) -> None:
    """In UTF-8, whatever a name holds."""
    self._file.write(text.encode(errors="surrogateescape"))


def _summary(phase: Phase, rows: Rows, errors: Mapping[str, str]) -> str:
  measure = metric(phase.metric, phase.direction)
  budget = f", {phase.images:,} training images each" if phase.images else ""
  failed = f", {len(errors)} failed" if errors else ""
  better = "less" if measure.direction == "min" else "more"
  rules = "; ".join(
    f"{x.factor:g} times the {FACTS[x.cost].title} must bring {x.gain:.0%} "
    "less error"
    for x in phase.trade_offs
  )
  return (
    f"{len(rows)} runs{failed}{budget}. Compared by {measure.title}, {better} "
    f"is better{'; ' + rules if rules else ''}."
  )


def _recommended(choice: Choice | None) -> str:
  if choice is None:
    return html.paragraph("No run can be recommended yet.", "lead wrong")
  return html.paragraph(f"Recommended: {choice.reason}", "lead")


def _table(
  phase: Phase, rows: Rows, numbers: Mapping[str, int], choice: Choice | None
) -> str:
  """All runs, from the best to the worst."""
  shown = columns(phase, rows)
  cells = [
    [
      name_cell(run, numbers),
      *(number_cell(row, k, c.form) for k, c in shown.items()),
    ]
    for run, row in rows.items()
  ]
  falls = [
    i + 1
    for i, (k, c) in enumerate(shown.items())
    if getattr(c, "direction", "") == "max" or k.endswith("per_second")
  ]
  marked = list(rows).index(choice.run) if choice else -1
  heads = ["run", *(c.title for c in shown.values())]
  return html.heading("Runs") + html.table(
    heads, cells, sorts=True, falls=falls, marked=marked
  )


def _failed(errors: Mapping[str, str]) -> str:
  if not errors:
    return ""
  lines = [
    html.paragraph(f"{run}: {error}", "lead wrong")
    for run, error in errors.items()
  ]
  return html.heading("Failed") + "".join(lines)


def _groups(phase: Phase, rows: Rows, numbers: Mapping[str, int]) -> list[str]:
  """Each comparison within the phase, in its own order of runs."""
  shown = [phase.metric, "latent_size", "train_images_per_second"]
  known = columns(phase, rows)
  parts = []
  for name, runs in phase.groups.items():
    cells = [
      [
        name_cell(x, numbers),
        *(number_cell(rows[x], k, known[k].form) for k in shown),
      ]
      for x in runs
      if x in rows and all(k in known for k in shown)
    ]
    if cells:
      mark = " (this one decides)" if name == phase.decides else ""
      heads = ["run", *(known[k].title for k in shown)]
      table = html.table(heads, cells, sorts=True)
      parts.append(f"<div>{html.paragraph(name + mark)}{table}</div>")
  return [html.heading("Comparisons"), html.row(parts)] if parts else []


def _plots(
  folder: pathlib.Path,
  phase: Phase,
  rows: Rows,
  numbers: Mapping[str, int],
  choice: Choice | None,
) -> list[str]:
  measure = metric(phase.metric, phase.direction)
  best = choice.run if choice else ""
  plots = []
  for cost, more in (("latent_size", False), ("train_images_per_second", True)):
    series = [
      Series(name=run, points=[(r[cost], r[phase.metric])], number=numbers[run])
      for run, r in rows.items()
      if cost in r and phase.metric in r
    ]
    titles = FACTS[cost].title, measure.title
    up = more, measure.direction == "max"
    if series:
      plots.append(charts.scatter(series, titles, up=up, marked=best))
  parts = [html.heading("Quality and cost"), html.row(plots)]
  parts.append(
    html.paragraph("Dashed: runs that no other beats in both.", "soft")
  )
  curves = [*_curves(folder, phase.metric, rows, numbers)]
  if curves:
    parts += [html.heading("Learning curves"), html.row(curves)]
  return parts + [_legend(rows, numbers)]


def _curves(
  folder: pathlib.Path, name: str, rows: Rows, numbers: Mapping[str, int]
) -> list[str]:
  """The held-out metric (or PSNR) and the training loss against images."""
  logs = {run: metrics_csv.read(folder / run) for run in rows}
  plots = []
  for key in dict.fromkeys((column(name), "loss", column("psnr"))):
    curves = {run: metrics_csv.curve(log, key) for run, log in logs.items()}
    series = [
      Series(name=run, points=points, number=numbers[run])
      for run, points in curves.items()
      if points
    ]
    if series:
      titles = "images", key.replace(metrics_csv.HELDOUT, "held-out ")
      plots.append(charts.lines(series, titles))
  return plots[:2]


def _legend(rows: Rows, numbers: Mapping[str, int]) -> str:
  names = [
    f"<span>{html.chip(charts.colour(numbers[x]))}{html.text(x)}</span>"
    for x in rows
  ]
  return html.row(names)
