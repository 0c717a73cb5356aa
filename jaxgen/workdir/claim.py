"""Exclusive claim of a run's folder, with one config for its lifetime."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator

import jax

from jaxgen.config.experiment import Experiment
from jaxgen.errors import UserError
from jaxgen.formats.atomic import remove_parts
from jaxgen.parallel.multihost import all_equal, is_lead_host, run_on_all
from jaxgen.typing import ConditionNames
from jaxgen.workdir import checkpoint_index, lock, run_config


@contextlib.contextmanager
def claim(
  workdir: pathlib.Path, experiment: Experiment, *, allow_change: bool
) -> Iterator[None]:
  """Create the folder if needed, hold its lock, and compare its config.

  With several processes the lead host does so for all.

  Raises:
    UserError: the folder cannot be written or is not shared by all processes,
      another run is training in it, it holds a run with another config and no
      change is allowed, or the configs of the processes differ.
  """
  if not all_equal(str(experiment.to_dict())):
    raise UserError("--config: expected the same config on all processes.")
  with contextlib.ExitStack() as stack:

    def acquire() -> None:
      if is_lead_host():
        stack.enter_context(lock.hold(workdir))
        _remove_parts(workdir)
        if not allow_change:
          _check_config(workdir, experiment)

    run_on_all(acquire)
    run_on_all(lambda: _check_shared(workdir))
    yield


def _remove_parts(workdir: pathlib.Path) -> None:
  """Remove the parts of files that dead processes have left."""
  for folder in (workdir, *(x for x in workdir.iterdir() if x.is_dir())):
    remove_parts(folder)


def _check_shared(workdir: pathlib.Path) -> None:
  """Raise a UserError unless this process sees the lock that the lead host has
  just created."""
  if not (workdir / lock.NAME).is_file():
    raise UserError(
      f"--workdir={workdir.resolve()} is another folder on process "
      f"{jax.process_index()}; expected a file system shared by all processes."
    )


def _check_config(workdir: pathlib.Path, experiment: Experiment) -> None:
  """Raise a UserError unless the folder's run, if any, has the same config."""
  recorded = run_config.is_recorded(workdir)
  if not recorded and any(workdir.glob(f"{checkpoint_index.FOLDER}/[0-9]*")):
    raise UserError(
      f"--workdir={workdir} has checkpoints but no config.json to compare "
      "with. Use a new workdir, or --allow_config_change to resume with this "
      "config."
    )
  if changes := run_config.differences(workdir, experiment):
    raise UserError(
      f"--workdir={workdir} holds a run with another config "
      f"({'; '.join(changes)})."
      " Use a new workdir, or --allow_config_change to resume with the new one."
    )


def record(
  experiment: Experiment, names: ConditionNames, workdir: pathlib.Path
) -> None:
  """Record the config and the names of condition values in the folder, once
  the run has been opened successfully."""
  if is_lead_host():
    run_config.save(workdir, experiment, names)
