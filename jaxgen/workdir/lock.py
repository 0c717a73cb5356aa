"""Locks of folders: held by the process that works there, seen by all others.

A process that dies releases its locks, whatever killed it. Locks of other
machines are seen only where the file system shares them.
"""

from __future__ import annotations

import contextlib
import fcntl
import pathlib
import time
from collections.abc import Iterator
from typing import IO

from jaxgen.errors import UserError

NAME = ".lock"  # of the training run in a folder
TRAINING = "training process"
PATIENCE = 0.25  # seconds: `is_held` holds the lock for a moment
PAUSE = 0.05  # seconds between two attempts


@contextlib.contextmanager
def hold(
  folder: pathlib.Path,
  *,
  holder: str = TRAINING,
  name: str = NAME,
  patience: float = PATIENCE,
) -> Iterator[None]:
  """Hold a lock of a folder, which is created if need be.

  Args:
    folder: the folder.
    holder: kind of process that holds this lock, for messages.
    name: file of the lock; locks of different names do not exclude each other.
    patience: seconds in which another holder may still release it.

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
  """Whether a process holds a lock of a folder; None where that is unknown.

  Creates and writes nothing.
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
