"""The report of a phase, as plain values for `jaxgen.report`."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

from jaxgen.report.phase import Column, PhaseReport
from jaxgen.report.svg import Points
from jaxgen.sweeps.choice import Choice, Results, ranked
from jaxgen.sweeps.metrics import (
  METRICS,
  QUANTITIES,
  Metric,
  column,
  cost_title,
  metric,
)
from jaxgen.sweeps.spec import Phase
from jaxgen.workdir import metrics_csv

COSTS = ("latent_size", "train_images_per_second")  # plotted with the metric
MAX_CURVES = 2


def phase_report(
  folder: pathlib.Path,
  phase: Phase,
  *,
  rows: Results,
  errors: Mapping[str, str],
  choice: Choice | None,
  facts: Mapping[str, str],
) -> PhaseReport:
  """The report of a phase.

  Args:
    folder: folder of the phase, with a folder for each run.
    phase: the phase.
    rows: measures of the finished runs, by name.
    errors: errors of the failed runs, by name.
    choice: the winner; None: no run is selected yet.
    facts: what the page was made of, by name.
  """
  ordered = {run: rows[run] for run in ranked(phase, rows)}
  return PhaseReport(
    name=phase.name,
    folder=folder,
    facts=facts,
    summary=_summary(phase, rows, errors),
    metric=phase.metric,
    columns=_columns(phase, rows),
    costs=COSTS,
    settings=phase.runs,
    rows=ordered,
    errors=errors,
    winner=choice.run if choice else "",
    reason=choice.reason if choice else "",
    groups=_groups(phase),
    curves=_curves(folder, phase, ordered),
  )


def _summary(phase: Phase, rows: Results, errors: Mapping[str, str]) -> str:
  measure = metric(phase.metric, phase.direction)
  budget = f", {phase.images:,} training images each" if phase.images else ""
  failed = f", {len(errors)} failed" if errors else ""
  better = "smaller" if measure.direction == "min" else "larger"
  rules = "; ".join(
    f"{x.factor:g} times the {cost_title(x.cost)} requires {x.gain:.0%} "
    "less error"
    for x in phase.trade_offs
  )
  return (
    f"{len(rows)} runs{failed}{budget}. Compared by {measure.title}, {better} "
    f"is better{'; ' + rules if rules else ''}."
  )


def _columns(phase: Phase, rows: Results) -> dict[str, Column]:
  """The measures of at least one run, the phase's metric first."""
  measures = {phase.metric: metric(phase.metric, phase.direction)}
  measures |= METRICS | QUANTITIES
  return {
    name: Column(
      title=x.title,
      form=x.form,
      descending=name.endswith("per_second")
      or (isinstance(x, Metric) and x.direction == "max"),
    )
    for name, x in measures.items()
    if any(name in row for row in rows.values())
  }


def _groups(phase: Phase) -> dict[str, tuple[str, ...]]:
  """The runs of each comparison, by title."""
  return {
    f"{name} (decides)" if name == phase.decides else name: runs
    for name, runs in phase.groups.items()
  }


def _curves(
  folder: pathlib.Path, phase: Phase, rows: Results
) -> dict[str, dict[str, Points]]:
  """The held-out metric (or PSNR) and the training loss against images."""
  logs = {run: metrics_csv.read(folder / run) for run in rows}
  curves: dict[str, dict[str, Points]] = {}
  for name in dict.fromkeys((column(phase.metric), "loss", column("psnr"))):
    points = {run: metrics_csv.curve(log, name) for run, log in logs.items()}
    if any(points.values()):
      curves[name.replace(metrics_csv.HELDOUT, "held-out ")] = dict(points)
  return dict(list(curves.items())[:MAX_CURVES])
