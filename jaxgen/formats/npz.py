"""Named arrays in `.npz` files."""

from __future__ import annotations

import contextlib
import io
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from jaxgen.formats.atomic import replacing


@contextlib.contextmanager
def open_npz(path: pathlib.Path) -> Iterator[Any]:
  """The arrays of a file by their names; nothing is unpickled.

  Raises:
    Exception: of many kinds, by numpy and zipfile, where the file is damaged or
      another; it is closed in any case, unlike by `np.load`.
  """
  with path.open("rb") as file, np.lib.npyio.NpzFile(file) as arrays:
    yield arrays


def write_npz(path: pathlib.Path, **arrays: ArrayLike) -> None:
  """Write named arrays as an uncompressed `.npz` file."""
  buffer: Any = io.BytesIO()  # np.savez leaves a partial file on a full disk
  contents: Any = arrays
  np.savez(buffer, **contents)
  with replacing(path) as file:
    file.write(buffer.getbuffer())
