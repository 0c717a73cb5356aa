"""A run's folder: one owner at a time, one config for its whole life."""

from __future__ import annotations

import contextlib
import fcntl
import pathlib
from collections.abc import Iterator

import jax

from jaxgen.config import differences, read_config, save_config
from jaxgen.errors import UserError


@contextlib.contextmanager
def claim(
  workdir: pathlib.Path, config, *, allow_change: bool
) -> Iterator[None]:
  """Create the folder if need be, hold its lock, and settle its config.

  Of several processes the first one does it for all.

  Raises:
    UserError: it cannot be written, another process trains in it, or it holds
      a run with another config and no change is allowed.
  """
  if jax.process_index() > 0:
    yield
    return
  try:
    workdir.mkdir(parents=True, exist_ok=True)
    lock = (workdir / ".lock").open("w")
  except OSError as e:
    raise UserError(
      f"--workdir={workdir} cannot be written ({e.strerror}); choose another."
    ) from e
  with lock:
    try:
      fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
      raise UserError(
        f"--workdir={workdir} is in use by another training process."
      ) from e
    _settle(config, workdir, allow_change)
    yield


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
