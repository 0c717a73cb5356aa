"""The page of a sweep's phase: tables, plots and pictures."""

from __future__ import annotations

from collections.abc import Sequence

from jaxgen.report import charts, html
from jaxgen.report.cells import name_cell, number_cell
from jaxgen.report.charts import Series
from jaxgen.report.latents import latents_section
from jaxgen.report.phase import PhaseReport, write_phase_csv
from jaxgen.report.pictures import held_out_section

NOTE = (
  "Measured on the run's validation tiles with the EMA weights of the best "
  "checkpoint; images on [0, 1]. Fine detail: radial frequencies above 1/4 per "
  "pixel (waves shorter than four pixels); the errors at all frequencies sum "
  "to the MSE. Memory is that of the compiled training step on each device; "
  "images/s is the median of the log, and other runs may have shared the "
  "machine. The latent size is the number of values of a latent; compression "
  "is the number of values of an image divided by it."
)


def write_phase_report(report: PhaseReport) -> None:
  """Write `metrics.csv` and `report.html` to the folder of a phase."""
  write_phase_csv(report.folder / "metrics.csv", report)
  parts = [
    html.paragraph(report.summary, "soft"),
    _recommendation(report),
    _table(report),
    _failures(report),
    *_groups(report),
    *_plots(report),
    *held_out_section(report.folder, list(report.rows), report.numbers),
    *latents_section(report.rows, report.numbers),
    html.paragraph(NOTE, "soft"),
  ]
  path = report.folder / "report.html"
  html.write_page(path, report.name, parts, facts=report.facts)


def _recommendation(report: PhaseReport) -> str:
  if not report.winner:
    return html.paragraph("No run can be recommended yet.", "lead wrong")
  return html.paragraph(f"Recommended: {report.reason}", "lead")


def _cells(
  report: PhaseReport, run: str, names: Sequence[str]
) -> list[html.Cell]:
  """The row of a run in a table of some measures."""
  row, columns = report.rows[run], report.columns
  measures = (number_cell(row, name, columns[name].form) for name in names)
  return [name_cell(run, report.numbers), *measures]


def _table(report: PhaseReport) -> str:
  """The table of all runs, from best to worst."""
  columns, runs = report.columns, list(report.rows)
  table = html.table(
    ["run", *(column.title for column in columns.values())],
    [_cells(report, run, list(columns)) for run in runs],
    sorts=True,
    descending=[i + 1 for i, x in enumerate(columns.values()) if x.descending],
    marked=runs.index(report.winner) if report.winner in runs else -1,
  )
  return html.heading("Runs") + table


def _failures(report: PhaseReport) -> str:
  if not report.errors:
    return ""
  lines = [
    html.paragraph(f"{run}: {error}", "lead wrong")
    for run, error in report.errors.items()
  ]
  return html.heading("Failed") + "".join(lines)


def _groups(report: PhaseReport) -> list[str]:
  """A table for each comparison within the phase."""
  names = [report.metric, *report.costs]
  if not all(name in report.columns for name in names):
    return []
  heads = ["run", *(report.columns[name].title for name in names)]
  tables = []
  for title, runs in report.groups.items():
    cells = [_cells(report, run, names) for run in runs if run in report.rows]
    if cells:
      table = html.table(heads, cells, sorts=True)
      tables.append(f"<div>{html.paragraph(title)}{table}</div>")
  return [html.heading("Comparisons"), html.row(tables)] if tables else []


def _plots(report: PhaseReport) -> list[str]:
  scatters = [_scatter(report, cost) for cost in report.costs]
  parts = [
    html.heading("Quality and cost"),
    html.row(scatters),
    html.paragraph("Dashed: the Pareto frontier.", "soft"),
  ]
  curves = [_curve(report, title) for title in report.curves]
  if any(curves):
    parts += [html.heading("Learning curves"), html.row(curves)]
  names = [
    f"<span>{html.chip(charts.color(report.numbers[run]))}{html.text(run)}"
    "</span>"
    for run in report.rows
  ]
  return [*parts, html.row(names)]


def _scatter(report: PhaseReport, cost: str) -> str:
  """A plot of the metric against a cost; empty if no run has both."""
  series = [
    Series(
      name=run,
      points=[(row[cost], row[report.metric])],
      number=report.numbers[run],
    )
    for run, row in report.rows.items()
    if cost in row and report.metric in row
  ]
  if not series:
    return ""
  x, y = report.columns[cost], report.columns[report.metric]
  return charts.scatter(
    series,
    (x.title, y.title),
    up=(x.descending, y.descending),
    marked=report.winner,
  )


def _curve(report: PhaseReport, title: str) -> str:
  """A plot of curves against images; empty if no run has any."""
  series = [
    Series(name=run, points=points, number=report.numbers[run])
    for run, points in report.curves[title].items()
    if points
  ]
  return charts.lines(series, ("images", title)) if series else ""
