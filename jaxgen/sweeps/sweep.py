"""A sweep from its first phase to its last: run, decide, report, go on."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from jaxgen.config.overrides import differences
from jaxgen.errors import RunError, UserError
from jaxgen.report import sweep as report
from jaxgen.sweeps import files, runner
from jaxgen.sweeps import folder as folders
from jaxgen.sweeps.choice import Choice, choose, chosen_by_person
from jaxgen.sweeps.folder import RunFolder
from jaxgen.sweeps.spec import RULE, Phase, Sweep

Say = Callable[[str], None]
UNFINISHED = "it is not finished"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Opened:
  """A sweep and its workdir.

  Attributes:
    sweep: the phases.
    base: config.
    workdir: of the sweep.
    persons: runs that a person chose, by phase; RULE: none is to hold.
    say: takes lines for the person.
  """

  sweep: Sweep
  base: Any
  workdir: pathlib.Path
  persons: Mapping[str, str] = dataclasses.field(default_factory=dict)
  say: Say = print

  def folder(self, phase: Phase) -> pathlib.Path:
    """Of a phase."""
    return self.workdir / phase.name

  def runs(self, phase: Phase) -> dict[str, RunFolder]:
    """The folders of a phase's runs, once the phases before are decided.

    Raises:
      UserError: one of those is not.
    """
    found = files.configs(self.sweep, self.base, phase, self._passed(phase))
    folder = self.folder(phase)
    return {
      run: RunFolder(path=folder / run, config=config)
      for run, config in found.items()
    }

  def _passed(self, phase: Phase) -> files.Passed:
    """What the phases before one pass on."""
    found = {}
    for earlier in self.sweep.phases[: self.sweep.phases.index(phase)]:
      path = self.folder(earlier) / "choice.json"
      saved = folders.read_json(path).get("passes_on")
      if not isinstance(saved, dict):
        raise UserError(
          f"{phase.name}: {earlier.name} is not decided yet; run it first."
        )
      found[earlier.name] = {k: _tuples(v) for k, v in saved.items()}
    return found

  def go(self, *, parallel: int, retry: bool = False) -> bool:
    """Run all phases in turn; whether they are finished.

    Raises:
      RunError: all runs of a phase failed, or it cannot be decided.
    """
    for phase in self.sweep.phases:
      runs = self.runs(phase)
      todo = self.prepare(phase, runs, retry=retry)
      self.say(f"{phase.name}: {len(runs)} runs, {len(todo)} to do")
      named = {f"{phase.name}/{run}": x for run, x in todo.items()}
      if not runner.run_all(
        self.workdir, named, parallel=parallel, say=self.say
      ):
        self.say("stopped: the same command goes on.")
        return False
      self.decide(phase)
    return True

  def prepare(
    self, phase: Phase, runs: Mapping[str, RunFolder], *, retry: bool
  ) -> dict[str, RunFolder]:
    """The runs that are to be done. What lies there of another config is moved
    out of the way, and what an earlier phase has done is linked; `retry`: what
    has failed is to be done, too."""
    todo = {}
    for name, run in runs.items():
      run.loosen()
      if run.state == "other":
        aside = run.set_aside(self.workdir)
        self.say(f"{phase.name}/{name}: was of another config; now {aside}")
      if run.state == "failed" and retry:
        run.forget()
      if run.state == "missing" and (twin := self._twin(phase, run)):
        run.link(twin)
        self.say(f"{phase.name}/{name}: is {twin.path.parent.name}/{twin.name}")
      if run.state in ("missing", "begun"):
        todo[name] = run
    return todo

  def _twin(self, phase: Phase, run: RunFolder) -> RunFolder | None:
    """A finished run of an earlier phase with the same config."""
    for earlier in self.sweep.phases[: self.sweep.phases.index(phase)]:
      for other in self.runs(earlier).values():
        if not differences(other.config, run.config):
          if other.state == "finished":
            return other
    return None

  def decide(self, phase: Phase) -> Choice:
    """Choose from what is there, keep the choice, and write the report.

    Raises:
      RunError: no run can be chosen.
      UserError: a person chose one that has no measures.
    """
    folder, runs = self.folder(phase), self.runs(phase)
    outcomes = {run: x.outcome for run, x in runs.items() if x.state != "other"}
    rows = {k: v["measures"] for k, v in outcomes.items() if "measures" in v}
    errors = {k: v["error"] for k, v in outcomes.items() if "error" in v}
    if not rows:
      raise RunError(_all_failed(phase, errors))
    errors |= {run: UNFINISHED for run in runs if run not in {**rows, **errors}}
    choice = problem = None
    try:
      choice = self._choose(phase, rows)
    except RunError as e:
      problem = e
    report.write(folder, phase, rows, errors, choice)
    if choice is None:
      assert problem is not None
      raise problem
    passed = files.passes(phase, choice.run, runs[choice.run].config)
    folders.write_choice(folder, choice, passed)
    self.say(f"{phase.name}: {choice.run} is taken. {choice.reason}")
    self.say(f"{phase.name}: see {folder / 'report.html'}")
    return choice

  def _choose(self, phase: Phase, rows: Mapping[str, Any]) -> Choice:
    """By the person, where there was one, now or before; else by the rule."""
    person = self.persons.get(phase.name)
    before = folders.read_choice(self.folder(phase))
    if person is None and before is not None and before.by == "person":
      person = before.run
    if person in (None, RULE):
      return choose(phase, rows)
    if person not in rows:
      raise UserError(
        f"--choose={phase.name}={person}: this run is not finished; there are "
        f"{', '.join(rows)}."
      )
    try:
      return chosen_by_person(phase, person, choose(phase, rows))
    except RunError:
      return chosen_by_person(phase, person, None)


def _tuples(value: Any) -> Any:
  return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _all_failed(phase: Phase, errors: Mapping[str, str]) -> str:
  if not errors:
    return f"{phase.name}: no run is finished yet."
  run, error = next(iter(errors.items()))
  return (
    f"{phase.name}: all runs failed; {run}: {error}\nMend it, and go on with "
    "--retry_failed."
  )


def parse_choices(sweep: Sweep, texts: list[str]) -> dict[str, str]:
  """`PHASE=RUN` of --choose, by phase.

  Raises:
    UserError: there is no such phase, or no such run in it.
  """
  found = {}
  for text in texts:
    name, equals, run = text.partition("=")
    if not equals:
      raise UserError(f"--choose={text}: PHASE=RUN is needed.")
    phase = sweep.phase(name)
    if run not in phase.runs and run != RULE:
      raise UserError(
        f"--choose={text}: {name} has no such run; there are "
        f"{', '.join(phase.runs)}, and {RULE}."
      )
    found[name] = run
  return found
