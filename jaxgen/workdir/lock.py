"""The lock of a workdir: held by the training in it, seen by all others."""

from __future__ import annotations

import fcntl
import pathlib
import time
from typing import IO

from jaxgen.errors import UserError

NAME = ".lock"
TRIES, PAUSE = 5, 0.05  # who looks whether it is held has it for a moment


def take(workdir: pathlib.Path) -> IO[str]:
  """The lock, as a file that holds it until it is closed; the folder is made
  if need be.

  Raises:
    UserError: it cannot be written, or another training holds the lock.
  """
  try:
    workdir.mkdir(parents=True, exist_ok=True)
    lock = (workdir / NAME).open("w")
  except OSError as e:
    raise UserError(
      f"--workdir={workdir} cannot be written ({e.strerror}); choose another."
    ) from e
  for _ in range(TRIES):
    try:
      fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
      return lock
    except OSError:
      time.sleep(PAUSE)
  lock.close()
  raise UserError(f"--workdir={workdir} is in use by another training process.")


def held(workdir: pathlib.Path) -> bool | None:
  """Whether a training holds the lock; None where that cannot be told.

  Only reads. A process that died has let go of it, whatever killed it. Locks of
  other machines are seen only where the file system shares them.
  """
  try:
    with (workdir / NAME).open() as lock:
      fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
      return False
  except FileNotFoundError:
    return False
  except BlockingIOError:
    return True
  except OSError:
    return None
