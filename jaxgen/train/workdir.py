"""A run's folder: one owner at a time, one config for its whole life."""

from __future__ import annotations

import contextlib
import fcntl
import pathlib
from collections.abc import Iterator
from typing import IO

import jax

from jaxgen.config import differences, read_config, save_config
from jaxgen.errors import UserError
from jaxgen.train.processes import is_first, together


@contextlib.contextmanager
def claim(
  workdir: pathlib.Path, config, *, allow_change: bool
) -> Iterator[None]:
  """Create the folder if need be, hold its lock, and settle its config.

  Of several processes the first one does it for all.

  Raises:
    UserError: it cannot be written or is not shared by all processes, another
      run trains in it, or it holds one with another config and no change is
      allowed.
  """
  with contextlib.ExitStack() as held:

    def take() -> None:
      if is_first():
        held.enter_context(_lock(workdir))
        _settle(config, workdir, allow_change)

    together(take)
    together(lambda: _check_shared(workdir))
    yield


def _lock(workdir: pathlib.Path) -> IO[str]:
  """The lock, as a file that holds it until it is closed."""
  try:
    workdir.mkdir(parents=True, exist_ok=True)
    lock = (workdir / ".lock").open("w")
  except OSError as e:
    raise UserError(
      f"--workdir={workdir} cannot be written ({e.strerror}); choose another."
    ) from e
  try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except OSError as e:
    lock.close()
    raise UserError(
      f"--workdir={workdir} is in use by another training process."
    ) from e
  return lock


def _check_shared(workdir: pathlib.Path) -> None:
  """The first process has just written the config: can this one see it?"""
  if not (workdir / "config.json").is_file():
    raise UserError(
      f"--workdir={workdir.resolve()} is another folder on process "
      f"{jax.process_index()}; it must be on a file system that all share."
    )


def _settle(config, workdir: pathlib.Path, allow_change: bool) -> None:
  """Write the config to a new workdir, or compare it with the one there."""
  path = workdir / "config.json"
  if path.exists():
    changes = differences(read_config(path), config)
    if changes and not allow_change:
      raise UserError(
        f"--workdir={workdir} holds a run with another config "
        f"({'; '.join(changes)}).\n"
        "Use a new workdir, or --allow_config_change to go on with the new one."
      )
  save_config(config, path)
