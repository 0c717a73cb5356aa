"""Execution of a sweep's phases: run, decide, report."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence

from jaxgen.config.overrides import differences
from jaxgen.config.parse import parse
from jaxgen.errors import Interrupted, RunError, UserError
from jaxgen.report import origin
from jaxgen.report.phase_page import write_phase_report
from jaxgen.sweeps import configs, runner
from jaxgen.sweeps import folder as folders
from jaxgen.sweeps.choice import Choice, Results, choose, choose_manually
from jaxgen.sweeps.report import phase_report
from jaxgen.sweeps.run_folder import RunFolder
from jaxgen.sweeps.spec import RULE, Phase, Sweep

UNFINISHED = "not finished"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SweepRun:
  """A sweep in its workdir.

  Attributes:
    sweep: the definition of the sweep.
    bases: the base configs.
    workdir: the folder of the sweep.
    manual_choices: runs chosen by --choose, by phase; RULE: back to the rule.
    log: function that prints a line of progress.
  """

  sweep: Sweep
  bases: configs.Bases
  workdir: pathlib.Path
  manual_choices: Mapping[str, str] = dataclasses.field(default_factory=dict)
  log: Callable[[str], None] = print

  def folder(self, phase: Phase) -> pathlib.Path:
    """The folder of a phase."""
    return self.workdir / phase.name


def run_folders(sweep_run: SweepRun, phase: Phase) -> dict[str, RunFolder]:
  """The folders of a phase's runs, by name.

  Raises:
    UserError: an earlier phase has no choice yet.
  """
  found = configs.run_configs(
    sweep_run.sweep,
    sweep_run.bases,
    phase=phase,
    decided=_decided(sweep_run, phase),
  )
  folder = sweep_run.folder(phase)
  return {
    run: RunFolder(path=folder / run, config=config)
    for run, config in found.items()
  }


def _decided(sweep_run: SweepRun, phase: Phase) -> configs.Decided:
  """What earlier phases have decided."""
  decided = {}
  for earlier in sweep_run.sweep.earlier(phase):
    decision = folders.read_decision(sweep_run.folder(earlier))
    if decision is None:
      raise UserError(
        f"{phase.name}: {earlier.name} has no winner yet; run it first."
      )
    decided[earlier.name] = decision
  return decided


def run_phases(
  sweep_run: SweepRun, *, parallel: int, retry_failed: bool = False
) -> None:
  """Run and decide all phases in order.

  Args:
    sweep_run: the sweep.
    parallel: number of concurrent processes.
    retry_failed: whether to run failed runs again.

  Raises:
    RunError: all runs of a phase failed, or there is no winner.
    Interrupted: SIGTERM or Ctrl-C stopped the runs.
  """
  for phase in sweep_run.sweep.phases:
    runs = run_folders(sweep_run, phase)
    todo = prepare(sweep_run, phase, runs=runs, retry_failed=retry_failed)
    sweep_run.log(f"{phase.name}: {_runs(len(runs))}, {len(todo)} to do")
    stopped_by = runner.run_all(
      sweep_run.workdir,
      {f"{phase.name}/{run}": folder for run, folder in todo.items()},
      parallel=parallel,
      log=sweep_run.log,
    )
    if stopped_by is not None:
      sweep_run.log("stopped: the same command resumes.")
      raise Interrupted(stopped_by)
    decide(sweep_run, phase)


def _runs(num: int) -> str:
  return "1 run" if num == 1 else f"{num} runs"


def prepare(
  sweep_run: SweepRun,
  phase: Phase,
  *,
  runs: Mapping[str, RunFolder],
  retry_failed: bool,
) -> dict[str, RunFolder]:
  """Archive runs with outdated configs, and link equal runs of earlier phases.

  Args:
    sweep_run: the sweep.
    phase: the phase of the runs.
    runs: folders of runs, by name.
    retry_failed: whether to run failed runs again.

  Returns:
    The folders of the runs that remain to be done.
  """
  todo = {}
  for name, run in runs.items():
    label = f"{phase.name}/{name}"
    run.remove_dangling_link()
    if run.state == "stale":
      path = run.archive(sweep_run.workdir)
      sweep_run.log(f"{label}: has another config; moved to {path}")
    if run.state == "failed" and retry_failed:
      run.clear_outcome()
    if run.state == "missing" and (twin := _twin(sweep_run, phase, run=run)):
      run.link_to(twin)
      sweep_run.log(f"{label}: same as {twin.path.parent.name}/{twin.name}")
    if run.state in ("missing", "started"):
      todo[name] = run
  return todo


def _twin(
  sweep_run: SweepRun, phase: Phase, *, run: RunFolder
) -> RunFolder | None:
  """A finished run of an earlier phase with the same config."""
  for earlier in sweep_run.sweep.earlier(phase):
    for other in run_folders(sweep_run, earlier).values():
      if not differences(other.config, run.config):
        if other.state == "finished":
          return other
  return None


def decide(sweep_run: SweepRun, phase: Phase) -> Choice:
  """Choose among the finished runs, record the choice, and write the report.

  Raises:
    RunError: no run can be chosen; the report is still written if any run is
      finished.
    UserError: --choose names a run that is not finished.
  """
  folder, runs = sweep_run.folder(phase), run_folders(sweep_run, phase)
  outcomes = {name: x.outcome for name, x in runs.items() if x.state != "stale"}
  results = {k: v["measures"] for k, v in outcomes.items() if "measures" in v}
  errors = {k: v["error"] for k, v in outcomes.items() if "error" in v}
  if not results:
    raise RunError(_no_results(phase, errors))
  missing = runs.keys() - results.keys() - errors.keys()
  errors |= {run: UNFINISHED for run in runs if run in missing}
  choice = problem = None
  try:
    choice = _choose(sweep_run, phase, results=results)
  except RunError as e:
    problem = e
  report = phase_report(
    folder,
    phase,
    rows=results,
    errors=errors,
    choice=choice,
    facts=_facts(sweep_run, [runs[name] for name in results]),
  )
  write_phase_report(report)
  if choice is None:
    assert problem is not None
    raise problem
  passed = configs.passed_values(
    phase, choice.run, config=runs[choice.run].config
  )
  folders.write_choice(folder, choice, passed=passed)
  sweep_run.log(f"{phase.name}: selected {choice.run}. {choice.reason}")
  sweep_run.log(f"{phase.name}: see {folder / 'report.html'}")
  return choice


def _facts(
  sweep_run: SweepRun, finished: Sequence[RunFolder]
) -> dict[str, str]:
  """The facts of a phase's page; runs that failed may have no valid config."""
  configs_ = [parse(x.config) for x in finished]
  return {
    "date": origin.now(),
    "command": f"jaxgen sweep --workdir={sweep_run.workdir}",
    "data": "; ".join(dict.fromkeys(map(origin.data, configs_))),
  }


def _choose(sweep_run: SweepRun, phase: Phase, *, results: Results) -> Choice:
  """The manual choice, new or recorded, or else that of the rule."""
  run = sweep_run.manual_choices.get(phase.name)
  recorded = folders.read_choice(sweep_run.folder(phase))
  if run is None and recorded is not None and recorded.by == "person":
    run = recorded.run
  if run is None or run == RULE:
    return choose(phase, results)
  if run not in results:
    raise UserError(
      f"--choose={phase.name}={run}: expected a finished run, one of "
      f"{', '.join(results)}."
    )
  try:
    return choose_manually(phase, run, rule=choose(phase, results))
  except RunError:
    return choose_manually(phase, run, rule=None)


def _no_results(phase: Phase, errors: Mapping[str, str]) -> str:
  if not errors:
    return f"{phase.name}: no run is finished yet."
  run, error = next(iter(errors.items()))
  return (
    f"{phase.name}: all runs failed; {run}: {error}. Fix the cause and resume "
    "with --retry_failed."
  )
