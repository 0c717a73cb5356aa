"""Atomic writes: a file is written under a temporary name, then renamed.

All functions raise a RunError that names the file if it cannot be written.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
from collections.abc import Iterator
from typing import IO, Any

from jaxgen.errors import writing


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[IO[bytes]]:
  """Open a file that replaces `path` if the block succeeds; its folder is
  created if needed."""
  part = path.with_suffix(".part")
  with writing(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with part.open("wb") as file:
      yield file
    part.replace(path)


def write_json(path: pathlib.Path, value: Any, indent: int | None = 2) -> None:
  """Write a value as JSON."""
  with replacing(path) as file:
    file.write(f"{json.dumps(value, indent=indent)}\n".encode())
