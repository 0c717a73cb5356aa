"""A sweep's folder: what it is, how its runs ended, and what was chosen.

WORKDIR/sweep.json, base.json      the sweep, and its base config
WORKDIR/PHASE/choice.json          the winner, why, and what it passes on
WORKDIR/PHASE/metrics.csv          all runs of the phase
WORKDIR/PHASE/report.html          the same to look at
WORKDIR/PHASE/RUN/                 a run of jaxgen train
WORKDIR/PHASE/RUN/outcome.json     what was measured, or why it failed
WORKDIR/PHASE/RUN/images.npz       held-out images and reconstructions
WORKDIR/PHASE/RUN/log.txt          what it said
WORKDIR/set_aside/                 runs of another config than is asked for
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
from typing import Any, Literal

from jaxgen.config.files import read_experiment
from jaxgen.config.overrides import differences
from jaxgen.config.parse import parse
from jaxgen.errors import UserError
from jaxgen.formats.atomic import write_json
from jaxgen.sweeps import files
from jaxgen.sweeps.choice import Choice
from jaxgen.sweeps.spec import Sweep
from jaxgen.workdir import lock, run_config

State = Literal["missing", "begun", "finished", "failed", "other"]
ASIDE = "set_aside"
LOCK = ".sweep"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunFolder:
  """Where one run of a sweep lies, and the config that it is to have."""

  path: pathlib.Path
  config: files.Config

  @property
  def name(self) -> str:
    """Of the run."""
    return self.path.name

  @property
  def outcome(self) -> dict[str, Any]:
    """`measures` of a finished run, `error` of a failed one, or nothing."""
    return read_json(self.path / "outcome.json")

  @property
  def state(self) -> State:
    """How far it is; `other`: it holds a run of another config."""
    if self._holds_another():
      return "other"
    if "error" in self.outcome:
      same = self.outcome.get("config") == _as_json(self.config)
      return "failed" if same else "other"
    if "measures" in self.outcome:
      return "finished"
    return "begun" if self.path.is_dir() else "missing"

  def _holds_another(self) -> bool:
    """Whether the folder holds a run of another config."""
    try:
      return bool(run_config.differences(self.path, parse(self.config)))
    except UserError:
      return (self.path / run_config.CONFIG).exists()

  def finish(self, measures: dict[str, Any]) -> None:
    """Note what was measured; the run is then finished."""
    write_json(self.path / "outcome.json", {"measures": measures})

  def fail(self, error: str) -> None:
    """Mark the run as failed."""
    value = {"error": error, "config": _as_json(self.config)}
    write_json(self.path / "outcome.json", value)

  def link(self, other: RunFolder) -> None:
    """Be another run, which is finished and has the same config."""
    self.path.parent.mkdir(parents=True, exist_ok=True)
    self.path.symlink_to(
      pathlib.Path("..") / other.path.parent.name / other.name
    )

  def loosen(self) -> None:
    """Remove a link to a run that was set aside."""
    if self.path.is_symlink() and not self.path.exists():
      self.path.unlink()

  def forget(self) -> None:
    """Take back that it failed."""
    (self.path / "outcome.json").unlink(missing_ok=True)

  def set_aside(self, root: pathlib.Path) -> pathlib.Path:
    """Move it out of the way, and return where it lies then; what is only a
    link is gone."""
    if self.path.is_symlink():
      target = self.path.resolve()
      self.path.unlink()
      return target
    folder = root / ASIDE / self.path.parent.name
    folder.mkdir(parents=True, exist_ok=True)
    number = 1
    while (folder / f"{self.path.name}.{number}").exists():
      number += 1
    return self.path.rename(folder / f"{self.path.name}.{number}")


def _as_json(config: files.Config) -> Any:
  return json.loads(json.dumps(config))


def read_json(path: pathlib.Path) -> dict[str, Any]:
  """What a file holds; nothing where it is not there.

  Raises:
    UserError: it is damaged.
  """
  try:
    found = json.loads(path.read_text())
  except FileNotFoundError:
    return {}
  except ValueError as e:
    raise UserError(f"{path} is damaged ({e}): remove it.") from e
  if not isinstance(found, dict):
    raise UserError(f"{path} is damaged: remove it.")
  return found


def write_choice(
  folder: pathlib.Path, choice: Choice, passed: files.Overrides
) -> None:
  """Keep a phase's choice and what it passes on."""
  value = dataclasses.asdict(choice) | {"passes_on": passed}
  write_json(folder / "choice.json", value)


def read_choice(folder: pathlib.Path) -> Choice | None:
  """The choice of a phase; None: it is not decided."""
  found = read_json(folder / "choice.json")
  if not found:
    return None
  try:
    return Choice(**{k: v for k, v in found.items() if k != "passes_on"})
  except TypeError as e:
    path = folder / "choice.json"
    raise UserError(f"{path} is damaged ({e}): remove it.") from e


def record(
  sweep: Sweep, base: files.Config, workdir: pathlib.Path, *, allow_change: bool
) -> None:
  """Keep a sweep in its workdir, once it is known to be the one there.

  Raises:
    UserError: the workdir holds another one and no change is allowed, or holds
      something else.
  """
  saved = read_json(workdir / "sweep.json")
  if saved and not allow_change:
    old, old_base = read(workdir)
    changes = [*_changes(old, sweep), *differences(old_base, base)]
    if changes:
      raise UserError(
        f"--workdir={workdir} holds another sweep ({'; '.join(changes)}).\n"
        "Use a new workdir, or --allow_config_change to run what has changed."
      )
  if not saved and (workdir / run_config.CONFIG).exists():
    raise UserError(f"--workdir={workdir} holds a run: name another folder.")
  write_json(workdir / "base.json", base)
  write_json(workdir / "sweep.json", files.encode(sweep))


def _changes(old: Sweep, new: Sweep) -> list[str]:
  """`key: old -> new`; the base's name does not matter, its fields do."""
  a, b = _flat(files.encode(old)), _flat(files.encode(new))
  keys = [k for k in {**a, **b} if k != "base" and a.get(k) != b.get(k)]
  return [f"{k}: {a.get(k)!r} -> {b.get(k)!r}" for k in keys]


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
  if isinstance(value, list) and any(isinstance(x, dict) for x in value):
    value = {x.get("name", i): x for i, x in enumerate(value)}
  if not isinstance(value, dict) or not value:
    return {prefix.removesuffix(": "): value}
  found = {}
  for k, v in value.items():
    found |= _flat(v, f"{prefix}{k}: ")
  return found


def read(workdir: pathlib.Path) -> tuple[Sweep, files.Config]:
  """The sweep that a workdir holds, and its base config.

  Raises:
    UserError: it holds none, or it is damaged.
  """
  path = workdir / "sweep.json"
  saved = read_json(path)
  if not saved:
    raise UserError(
      f"--workdir={workdir} holds no sweep: name one with --config."
    )
  try:
    return files.decode(saved), read_experiment(workdir / "base.json").to_dict()
  except (TypeError, KeyError, AttributeError) as e:
    raise UserError(f"{path} is damaged ({e!r}): remove it.") from e


def hold(
  folder: pathlib.Path, holder: str
) -> contextlib.AbstractContextManager[None]:
  """Hold the lock that sweeps have beside that of a training run.

  A process that was just killed may take seconds to end.
  """
  return lock.hold(folder, holder=holder, name=LOCK, patience=5.0)
