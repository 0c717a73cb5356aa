"""A run's folder: one owner at a time, one config for its whole life."""

from __future__ import annotations

import contextlib
import json
import pathlib
from collections.abc import Iterator

import jax

from jaxgen.config.experiment import Experiment
from jaxgen.config.files import read_experiment, save_experiment
from jaxgen.config.overrides import differences
from jaxgen.errors import UserError
from jaxgen.formats.atomic import write_json
from jaxgen.parallel.multihost import all_equal, is_lead_host, run_on_all
from jaxgen.typing import Names
from jaxgen.workdir import lock

NAMES = "conditions.json"


@contextlib.contextmanager
def claim(
  workdir: pathlib.Path, experiment: Experiment, *, allow_change: bool
) -> Iterator[None]:
  """Create the folder if need be, hold its lock, and compare its config.

  Of several processes the first one does it for all.

  Raises:
    UserError: it cannot be written or is not shared by all processes, another
      run trains in it, it holds one with another config and no change is
      allowed, or the processes were given different ones.
  """
  if not all_equal(str(experiment.to_dict())):
    raise UserError("--config: the processes were not given the same config.")
  with contextlib.ExitStack() as held:

    def take() -> None:
      if is_lead_host():
        held.enter_context(lock.take(workdir))
        if not allow_change:
          _compare(experiment, workdir)

    run_on_all(take)
    run_on_all(lambda: _check_shared(workdir))
    yield


def _check_shared(workdir: pathlib.Path) -> None:
  """The first process has just created the lock: can this one see it?"""
  if not (workdir / lock.NAME).is_file():
    raise UserError(
      f"--workdir={workdir.resolve()} is another folder on process "
      f"{jax.process_index()}; it must be on a file system that all share."
    )


def _compare(experiment: Experiment, workdir: pathlib.Path) -> None:
  path = workdir / "config.json"
  if not path.exists() and any(workdir.glob("checkpoints/[0-9]*")):
    raise UserError(
      f"--workdir={workdir} holds checkpoints, but no config.json to compare "
      "with.\nUse a new workdir, or --allow_config_change to go on with this "
      "config."
    )
  if not path.exists():
    return
  recorded = read_experiment(path).to_dict()
  changes = differences(recorded, experiment.to_dict())
  if changes:
    raise UserError(
      f"--workdir={workdir} holds a run with another config "
      f"({'; '.join(changes)}).\n"
      "Use a new workdir, or --allow_config_change to go on with the new one."
    )


def record(experiment: Experiment, names: Names, workdir: pathlib.Path) -> None:
  """Keep the config in the workdir, and the names of the conditions' values: a
  run with them could be opened there."""
  if not is_lead_host():
    return
  save_experiment(experiment, workdir / "config.json")
  if names:
    write_json(workdir / NAMES, dict(names))


def read_names(workdir: pathlib.Path) -> Names:
  """The names that `record` wrote; none where there were none."""
  path = workdir / NAMES
  if not path.is_file():
    return {}
  try:
    found = json.loads(path.read_text())
    return {name: tuple(map(str, values)) for name, values in found.items()}
  except (ValueError, AttributeError, TypeError) as e:
    raise UserError(f"{path} is damaged: {e}") from e
