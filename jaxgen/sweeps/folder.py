"""The folder of a sweep: its definition and choices.

WORKDIR/sweep.json, base.json      the sweep and its base config
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
from jaxgen.sweeps import files
from jaxgen.sweeps.choice import Choice
from jaxgen.sweeps.run_folder import read_json
from jaxgen.sweeps.spec import Sweep
from jaxgen.workdir import lock, run_config

SWEEP, BASE, CHOICE = "sweep.json", "base.json", "choice.json"
LOCK = ".sweep"
PATIENCE = 5.0  # seconds to wait for a killed process to end


def write_choice(
  folder: pathlib.Path, choice: Choice, *, passed: files.Overrides
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


def read_passed(folder: pathlib.Path) -> files.Overrides | None:
  """The values that a phase passes on; None if it has no choice yet."""
  saved = read_json(folder / CHOICE).get("passes_on")
  if not isinstance(saved, dict):
    return None
  return {k: _tuples(v) for k, v in saved.items()}


def _tuples(value: Any) -> Any:
  """JSON lists converted back to tuples."""
  return tuple(map(_tuples, value)) if isinstance(value, list) else value


def record_sweep(
  workdir: pathlib.Path,
  sweep: Sweep,
  *,
  base: files.Config,
  allow_change: bool,
) -> None:
  """Record a sweep in its workdir, unless that has a different one.

  Raises:
    UserError: the workdir has a different sweep and no change is allowed, or it
      has a training run.
  """
  saved = read_json(workdir / SWEEP)
  if saved and not allow_change:
    old, old_base = read_sweep(workdir)
    changes = [*_changes(old, sweep), *differences(old_base, base)]
    if changes:
      raise UserError(
        f"--workdir={workdir} has a different sweep ({'; '.join(changes)}): "
        "use a new workdir, or --allow_config_change to run the changed one."
      )
  if not saved and run_config.is_recorded(workdir):
    raise UserError(
      f"--workdir={workdir} has a training run: choose another folder."
    )
  write_json(workdir / BASE, base)
  write_json(workdir / SWEEP, files.to_json(sweep))


def _changes(old: Sweep, new: Sweep) -> list[str]:
  """`key: old -> new` for each difference, except for the name of the base,
  whose fields are compared elsewhere."""
  a, b = _flat(files.to_json(old)), _flat(files.to_json(new))
  keys = [k for k in {**a, **b} if k != "base" and a.get(k) != b.get(k)]
  return [f"{k}: {a.get(k)!r} -> {b.get(k)!r}" for k in keys]


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
  if isinstance(value, list) and any(isinstance(x, dict) for x in value):
    value = {x.get("name", i): x for i, x in enumerate(value)}
  if not isinstance(value, dict) or not value:
    return {prefix.removesuffix(": "): value}
  flat = {}
  for key, nested in value.items():
    flat |= _flat(nested, f"{prefix}{key}: ")
  return flat


def read_sweep(workdir: pathlib.Path) -> tuple[Sweep, files.Config]:
  """The sweep recorded in a workdir, and its base config.

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
    return files.from_json(saved), read_experiment(workdir / BASE).to_dict()
  except (TypeError, KeyError, AttributeError) as e:
    raise UserError(f"{path} is damaged ({e!r}): remove it.") from e


def hold(
  folder: pathlib.Path, *, holder: str
) -> contextlib.AbstractContextManager[None]:
  """Hold the lock of a sweep or of one of its runs, independent of the lock of
  a training run."""
  return lock.hold(folder, holder=holder, name=LOCK, patience=PATIENCE)
