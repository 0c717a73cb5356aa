"""The folder of a run of a sweep, and the state of the run."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any, Literal

from jaxgen.config.parse import parse
from jaxgen.errors import UserError
from jaxgen.formats.atomic import write_json
from jaxgen.formats.json_file import read_json
from jaxgen.sweeps.configs import Config
from jaxgen.workdir import run_config

State = Literal["missing", "started", "finished", "failed", "stale"]
OUTCOME, LOG = "outcome.json", "log.txt"
ARCHIVE = "archive"  # in the sweep's workdir: runs with outdated configs


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunFolder:
  """The folder of a run of a sweep, and the intended config of the run.

  The config is plain data: if it does not parse, the run fails.
  """

  path: pathlib.Path
  config: Config

  @property
  def name(self) -> str:
    """The name of the run."""
    return self.path.name

  @property
  def log_path(self) -> pathlib.Path:
    """The file with the output of the run's process."""
    return self.path / LOG

  @property
  def outcome(self) -> dict[str, Any]:
    """`measures` of a finished run, `error` of a failed run, else empty."""
    return read_json(self.path / OUTCOME)

  @property
  def state(self) -> State:
    """The state of the run; `stale`: it has another config."""
    if self._has_other_config():
      return "stale"
    if "error" in self.outcome:
      same = self.outcome.get("config") == _as_json(self.config)
      return "failed" if same else "stale"
    if "measures" in self.outcome:
      return "finished"
    return "started" if self.path.is_dir() else "missing"

  def _has_other_config(self) -> bool:
    """Whether the folder records a different config."""
    try:
      return bool(run_config.differences(self.path, parse(self.config)))
    except UserError:  # a config does not parse
      return run_config.is_recorded(self.path)

  def mark_finished(self, measures: dict[str, Any]) -> None:
    """Record the measures of a finished run."""
    write_json(self.path / OUTCOME, {"measures": measures})

  def mark_failed(self, error: str) -> None:
    """Record the error of a failed run."""
    value = {"error": error, "config": _as_json(self.config)}
    write_json(self.path / OUTCOME, value)

  def clear_outcome(self) -> None:
    """Delete the record of a failure, to run again."""
    (self.path / OUTCOME).unlink(missing_ok=True)

  def link_to(self, other: RunFolder) -> None:
    """Make this folder a link to a finished run with the same config."""
    self.path.parent.mkdir(parents=True, exist_ok=True)
    self.path.symlink_to(
      pathlib.Path("..") / other.path.parent.name / other.name
    )

  def remove_dangling_link(self) -> None:
    """Remove a link whose run was archived."""
    if self.path.is_symlink() and not self.path.exists():
      self.path.unlink()

  def archive(self, workdir: pathlib.Path) -> pathlib.Path:
    """Move the folder to `WORKDIR/archive` of the sweep; a link is only
    removed.

    Returns:
      The new path.
    """
    if self.path.is_symlink():
      target = self.path.resolve()
      self.path.unlink()
      return target
    folder = workdir / ARCHIVE / self.path.parent.name
    folder.mkdir(parents=True, exist_ok=True)
    number = 1
    while (folder / f"{self.path.name}.{number}").exists():
      number += 1
    return self.path.rename(folder / f"{self.path.name}.{number}")


def _as_json(config: Config) -> Any:
  return json.loads(json.dumps(config))
