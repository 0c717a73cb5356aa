"""The folder of a sweep: its definition and choices.

WORKDIR/sweep.json, base.json      the sweep and its base config
WORKDIR/PHASE/base.json            the base config of a phase with its own
WORKDIR/PHASE/choice.json          the winner, the reason, the values passed on
WORKDIR/PHASE/metrics.csv          all runs of the phase
WORKDIR/PHASE/report.html          the same as a page
WORKDIR/PHASE/RUN/                 a run of jaxgen train
WORKDIR/PHASE/RUN/outcome.json     the measures, or the error of a failed run
WORKDIR/PHASE/RUN/images.npz       held-out images and reconstructions
WORKDIR/PHASE/RUN/log.txt          the output of the run's process
WORKDIR/archive/                   archived runs with outdated configs
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from typing import Any

from jaxgen.config.files import read_experiment
from jaxgen.config.overrides import differences
from jaxgen.errors import UserError
from jaxgen.formats.atomic import write_json
from jaxgen.formats.json_file import read_json
from jaxgen.sweeps import files
from jaxgen.sweeps.choice import Choice
from jaxgen.sweeps.configs import Bases, Decision
from jaxgen.sweeps.spec import Sweep
from jaxgen.sweeps.values import Overrides
from jaxgen.workdir import lock, run_config
from jaxgen.workdir.sweep_choice import BASE, CHOICE, SWEEP, winner

LOCK = ".sweep"
PATIENCE = 5.0  # seconds to wait for a killed process to end


def write_choice(
  folder: pathlib.Path, choice: Choice, *, passed: Overrides
) -> None:
  """Record a phase's choice and the values that it passes on."""
  value = dataclasses.asdict(choice) | {"passes_on": passed}
  write_json(folder / CHOICE, value)


def read_choice(folder: pathlib.Path) -> Choice | None:
  """The choice of a phase; None if there is none yet."""
  path = folder / CHOICE
  saved = read_json(path)
  if not saved:
    return None
  try:
    return Choice(**{k: v for k, v in saved.items() if k != "passes_on"})
  except TypeError as e:
    raise UserError(f"{path} is damaged ({e}): remove it.") from e


def read_decision(folder: pathlib.Path) -> Decision | None:
  """The winner's folder, and the values that a phase passes on; None if it has
  no choice yet."""
  saved = read_json(folder / CHOICE).get("passes_on")
  if not isinstance(saved, dict):
    return None
  passed = {k: _tuples(v) for k, v in saved.items()}
  path = winner(folder.resolve())  # the same from any current folder
  return Decision(folder=str(path), passed=passed)


def _tuples(value: Any) -> Any:
  """JSON lists converted back to tuples."""
  return tuple(map(_tuples, value)) if isinstance(value, list) else value


def record_sweep(
  workdir: pathlib.Path, sweep: Sweep, *, bases: Bases, allow_change: bool
) -> None:
  """Record a sweep in its workdir, unless that has a different one.

  Raises:
    UserError: the workdir has a different sweep and no change is allowed, or it
      has a training run.
  """
  saved = read_json(workdir / SWEEP)
  if saved and not allow_change:
    old, old_bases = read_sweep(workdir)
    changes = _changes(old, sweep)
    for name in old_bases.keys() & bases.keys():
      where = f"{name}: " if name else ""
      found = differences(old_bases[name], bases[name])
      changes += [f"{where}{change}" for change in found]
    if changes:
      raise UserError(
        f"--workdir={workdir} has a different sweep ({'; '.join(changes)}): "
        "use a new workdir, or --allow_config_change to run the changed one."
      )
  if not saved and run_config.is_recorded(workdir):
    raise UserError(
      f"--workdir={workdir} has a training run: choose another folder."
    )
  for name, base in bases.items():
    write_json(workdir / name / BASE, base)
  write_json(workdir / SWEEP, files.to_json(sweep))


def _changes(old: Sweep, new: Sweep) -> list[str]:
  """`key: old -> new` for each difference, except for the names of bases, whose
  fields are compared elsewhere."""
  a, b = (_flat(files.to_json(_without_bases(x))) for x in (old, new))
  keys = [k for k in {**a, **b} if a.get(k) != b.get(k)]
  return [f"{k}: {a.get(k)!r} -> {b.get(k)!r}" for k in keys]


def _without_bases(sweep: Sweep) -> Sweep:
  """A sweep in which it is left of the names of bases who shares them."""
  names = [x.base for x in sweep.phases if x.base]
  phases = (
    dataclasses.replace(x, base=x.base and f"base {names.index(x.base)}")
    for x in sweep.phases
  )
  return dataclasses.replace(sweep, base="", phases=tuple(phases))


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
  if isinstance(value, list) and any(isinstance(x, dict) for x in value):
    value = {x.get("name", i): x for i, x in enumerate(value)}
  if not isinstance(value, dict) or not value:
    return {prefix.removesuffix(": "): value}
  flat = {}
  for key, nested in value.items():
    flat |= _flat(nested, f"{prefix}{key}: ")
  return flat


def read_sweep(workdir: pathlib.Path) -> tuple[Sweep, Bases]:
  """The sweep recorded in a workdir, and its base configs.

  Raises:
    UserError: there is no sweep, or it is damaged.
  """
  path = workdir / SWEEP
  saved = read_json(path)
  if not saved:
    raise UserError(
      f"--workdir={workdir} has no sweep: specify one with --config."
    )
  try:
    sweep = files.from_json(saved)
  except (TypeError, KeyError, AttributeError) as e:
    raise UserError(f"{path} is damaged ({e!r}): remove it.") from e
  names = ("", *(x.name for x in sweep.phases if x.base))
  bases = {x: read_experiment(workdir / x / BASE).to_dict() for x in names}
  return sweep, bases


def hold(
  folder: pathlib.Path, *, holder: str
) -> contextlib.AbstractContextManager[None]:
  """Hold the lock of a sweep or of one of its runs, independent of the lock of
  a training run."""
  return lock.hold(folder, holder=holder, name=LOCK, patience=PATIENCE)
