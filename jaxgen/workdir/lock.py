"""Folder locks, held by the process that works in a folder.

A process that dies releases its locks, whatever killed it. Locks held on other
machines are visible only if the file system shares them.
"""

from __future__ import annotations

import contextlib
import fcntl
import pathlib
import time
from collections.abc import Iterator
from typing import IO

from jaxgen.errors import UserError

NAME = ".lock"  # file of the training run's lock
TRAINING = "training process"
PATIENCE = 0.25  # seconds: `is_held` holds the lock briefly
PAUSE = 0.05  # seconds between two attempts


@contextlib.contextmanager
def hold(
  folder: pathlib.Path,
  *,
  holder: str = TRAINING,
  name: str = NAME,
  patience: float = PATIENCE,
) -> Iterator[None]:
  """Hold a lock of a folder, which is created if needed.

  Args:
    folder: the folder.
    holder: kind of process that holds this lock, for messages.
    name: file of the lock; locks with different names are independent.
    patience: seconds to wait for another holder to release it.

  Raises:
    UserError: the folder cannot be written, or another process holds the lock.
  """
  with _open(folder, name) as file:
    end = time.monotonic() + patience
    while not _acquire(file):
      if time.monotonic() > end:
        raise UserError(f"--workdir={folder} is in use by another {holder}.")
      time.sleep(PAUSE)
    yield


def _open(folder: pathlib.Path, name: str) -> IO[str]:
  try:
    folder.mkdir(parents=True, exist_ok=True)
    return (folder / name).open("w")
  except OSError as e:
    raise UserError(
      f"--workdir={folder} cannot be written ({e.strerror}); choose another."
    ) from e


def _acquire(file: IO[str]) -> bool:
  try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except OSError:
    return False
  return True


def is_held(folder: pathlib.Path, *, name: str = NAME) -> bool | None:
  """Whether a process holds a lock of a folder; None if unknown.

  Nothing is created or written.
  """
  try:
    with (folder / name).open() as file:
      fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
      return False
  except FileNotFoundError:
    return False
  except BlockingIOError:
    return True
  except OSError:
    return None
