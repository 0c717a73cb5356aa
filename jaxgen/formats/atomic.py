"""Atomic writes: a file or folder is written under a temporary name `*.part`,
synchronized to disk, then renamed.

A part is locked while it is written, so that those of dead processes can be
told apart and removed. Functions that write raise a RunError that names the
file if it cannot be written.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import secrets
import shutil
from collections.abc import Iterator
from typing import IO, Any

from jaxgen.errors import writing

SUFFIX = ".part"


def part_name(prefix: str = "") -> str:
  """A new temporary name; hidden, and short even if the final name is not."""
  return f".{prefix}{secrets.token_hex(8)}{SUFFIX}"


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[IO[bytes]]:
  """Open a file that replaces `path` if the block succeeds; its folder is
  created if needed."""
  part = path.with_name(part_name())
  with writing(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
      with part.open("xb") as file, locked(file.fileno()):
        yield file
        file.flush()
        os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
      part.unlink(missing_ok=True)
      raise
    sync(path.parent)


def write_json(path: pathlib.Path, value: Any, indent: int | None = 2) -> None:
  """Write a value as JSON."""
  with replacing(path) as file:
    file.write(f"{json.dumps(value, indent=indent)}\n".encode())


def rename(old: pathlib.Path, new: pathlib.Path) -> None:
  """Rename a file or folder, and synchronize both of its folders to disk."""
  with writing(new):
    old.rename(new)
    for folder in {old.parent, new.parent}:
      sync(folder)


def sync(path: pathlib.Path) -> None:
  """Synchronize a file, or the names in a folder, to disk; file systems that
  cannot synchronize folders are left to themselves."""
  file = os.open(path, os.O_RDONLY)
  try:
    os.fsync(file)
  except OSError:
    if not path.is_dir():
      raise
  finally:
    os.close(file)


def sync_tree(folder: pathlib.Path) -> None:
  """Synchronize a folder with everything below it, and its name, to disk."""
  with writing(folder):
    for path in folder.rglob("*"):
      sync(path)
    sync(folder)
    sync(folder.parent)


@contextlib.contextmanager
def locked(file: int) -> Iterator[None]:
  """Lock a part while the block runs, where the file system can."""
  with contextlib.suppress(OSError):
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
  yield


def remove_parts(folder: pathlib.Path, prefix: str = "") -> None:
  """Remove the parts in a folder that dead processes have left."""
  for path in folder.glob("*"):
    is_part = path.name.endswith(SUFFIX) and not path.is_symlink()
    if is_part and path.name.startswith(prefix) and not _is_locked(path):
      with contextlib.suppress(OSError):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _is_locked(path: pathlib.Path) -> bool:
  """Whether a process holds the lock of a part, or that is unknown."""
  try:
    file = os.open(path, os.O_RDONLY)
  except OSError:
    return True
  try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except OSError:
    return True
  finally:
    os.close(file)
  return False
