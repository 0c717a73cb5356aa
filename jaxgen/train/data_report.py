"""The data report of a run, made once before it trains."""

from __future__ import annotations

import hashlib
import json
import pathlib

from jaxgen.config.experiment import Experiment, vars_of
from jaxgen.data import sources, summary_text
from jaxgen.data.report import REPORT, SHEET, DataReport, make_report
from jaxgen.parallel.multihost import is_lead_host, run_on_all
from jaxgen.tasks import families

_SPEED = ("threads", "workers", "cache_mb")  # fields without effect on tiles


def experiment_report(experiment: Experiment) -> DataReport:
  """The report of the data of a config, at the resolution of its first stage.

  Raises:
    UserError: the data cannot be used, or contradict the config.
  """
  return make_report(
    experiment.data,
    experiment.stages[0].resolution,
    labels_used="label" in families.conditions(experiment),
  )


def new_report(
  experiment: Experiment, workdir: pathlib.Path
) -> DataReport | None:
  """Make and print the data report, unless the folder has that of the same
  data.

  Returns:
    The report if it is new, on the lead host; to be saved once the run is open.

  Raises:
    UserError: the data contradict the config.
  """
  return run_on_all(lambda: _new_report(experiment, workdir))


def _new_report(
  experiment: Experiment, workdir: pathlib.Path
) -> DataReport | None:
  if not is_lead_host():
    return None
  if _recorded_key(workdir / REPORT) == _key(experiment):
    print(f"data: as described in {workdir / REPORT}")
    return None
  report = experiment_report(experiment)
  lines = summary_text.brief(report.summary)
  print("\n".join([*lines, *(f"warning: {x}" for x in report.warnings)]))
  print(f"  sheet of tiles: {workdir / SHEET}", flush=True)
  return report


def save_report(
  report: DataReport, experiment: Experiment, workdir: pathlib.Path
) -> None:
  """Write the report to a run's folder."""
  report.write(workdir, key=_key(experiment))


def _key(experiment: Experiment) -> str:
  """A hash of the data and of how tiles are cut."""
  options = vars_of(experiment.data)
  for name in _SPEED:
    del options[name]
  parts = (
    sources.fingerprint(experiment),
    options,
    experiment.stages[0].resolution,
  )
  return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _recorded_key(path: pathlib.Path) -> str:
  """The key in a report; empty if there is none, or a damaged one."""
  try:
    return str(json.loads(path.read_text())["key"])
  except (OSError, ValueError, KeyError, TypeError):
    return ""
