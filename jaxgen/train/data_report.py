"""The data report of a run, made once before it trains."""

from __future__ import annotations

import hashlib
import json
import pathlib

import numpy as np

from jaxgen.config.experiment import Experiment, vars_of
from jaxgen.data import sources, summary_text
from jaxgen.data.report import REPORT, DataReport, make_report
from jaxgen.parallel.multihost import is_lead_host, run_on_all
from jaxgen.tasks import families

_SPEED = ("threads", "workers", "cache_mb")  # fields without effect on tiles


def report_data(
  experiment: Experiment, workdir: pathlib.Path
) -> np.ndarray | None:
  """Write and print the data report, unless the folder has that of the same
  data.

  Returns:
    The sheet of tiles if the report is new, on the lead host.

  Raises:
    UserError: the data contradict the config.
  """
  return run_on_all(lambda: _report(experiment, workdir))


def _report(experiment: Experiment, workdir: pathlib.Path) -> np.ndarray | None:
  if not is_lead_host():
    return None
  key = _key(experiment)
  if _recorded_key(workdir / REPORT) == key:
    print(f"data: as described in {workdir / REPORT}")
    return None
  report = make_report(
    experiment.data,
    experiment.stages[0].resolution,
    labels_used="label" in families.conditions(experiment),
  )
  report.write(workdir, key=key)
  _print(report, workdir)
  return report.picture


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


def _print(report: DataReport, workdir: pathlib.Path) -> None:
  print("\n".join(summary_text.brief(report.summary)))
  for warning in report.warnings:
    print(f"warning: {warning}")
  print(f"  the tiles are shown in {workdir / 'data.png'}", flush=True)
