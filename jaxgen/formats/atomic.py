"""Files that are whole or not there: written beside, then put in place.

All raise a RunError that names the file where it cannot be written.
"""

from __future__ import annotations

import contextlib
import io
import json
import pathlib
from collections.abc import Iterator
from typing import IO, Any

from jaxgen.errors import writing


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[IO[bytes]]:
  """A file that takes the place of `path`, whose folder is made if need be,
  when the block ends well."""
  part = path.with_suffix(".part")
  with writing(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with part.open("wb") as file:
      yield file
    part.replace(path)


def write_json(path: pathlib.Path, value: Any, indent: int | None = 2) -> None:
  """Write what JSON knows."""
  with replacing(path) as file:
    file.write(f"{json.dumps(value, indent=indent)}\n".encode())


def write_npz(path: pathlib.Path, **arrays: Any) -> None:
  """Write arrays by their names."""
  import numpy as np  # here, so that JSON is written without it

  buffer: Any = io.BytesIO()  # np.savez stumbles over a disk that is full
  np.savez(buffer, **arrays)
  with replacing(path) as file:
    file.write(buffer.getbuffer())
