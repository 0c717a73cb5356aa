"""Named arrays in `.npz` files."""

from __future__ import annotations

import contextlib
import io
import math
import pathlib
import zipfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxgen.formats.atomic import replacing
from jaxgen.formats.memory_limit import check_fits

_format = np.lib.format


class Header(NamedTuple):
  """The shape and type of an array."""

  shape: tuple[int, ...]
  dtype: np.dtype

  @property
  def num_bytes(self) -> int:
    """Size of the values."""
    return math.prod(self.shape) * self.dtype.itemsize


@contextlib.contextmanager
def open_npz(path: pathlib.Path) -> Iterator[Any]:
  """The arrays of a file by their names; nothing is unpickled.

  Raises:
    Exception: of many kinds, by numpy and zipfile, where the file is damaged or
      another; it is closed in any case, unlike by `np.load`. ValueError: an
      array is larger than memory.
  """
  check_sizes(path)
  with path.open("rb") as file, np.lib.npyio.NpzFile(file) as arrays:
    yield arrays


def check_sizes(path: pathlib.Path) -> None:
  """Raise a ValueError if an array of a file is larger than memory, or than
  the file says it is; nothing is unpacked."""
  with zipfile.ZipFile(path) as archive:
    entries = {entry.filename: entry for entry in archive.infolist()}
  headers = read_headers(path)
  for name, entry in entries.items():
    header = headers.get(name.removesuffix(".npy"))
    num_bytes = header.num_bytes if header else 0
    check_fits(max(entry.file_size, num_bytes), f"{name} in {path.name}")
    if num_bytes > entry.file_size:
      raise ValueError(f"{name} is shorter than its header says")


def read_headers(path: pathlib.Path) -> dict[str, Header]:
  """The shapes and types of a file's arrays by name, without reading them.

  Raises:
    Exception: as `open_npz`.
  """
  headers = {}
  with zipfile.ZipFile(path) as archive:
    for name in archive.namelist():
      if name.endswith(".npy"):
        with archive.open(name) as file:
          headers[name.removesuffix(".npy")] = read_header(file)
  return headers


def read_header(file: Any) -> Header:
  """The shape and type of an array in the `.npy` format."""
  if _format.read_magic(file) == (1, 0):
    shape, _, dtype = _format.read_array_header_1_0(file)
  else:
    shape, _, dtype = _format.read_array_header_2_0(file)
  return Header(shape, dtype)


def write_npz(path: pathlib.Path, **arrays: ArrayLike) -> None:
  """Write named arrays as an uncompressed `.npz` file."""
  buffer: Any = io.BytesIO()  # np.savez leaves a partial file on a full disk
  contents: Any = arrays
  np.savez(buffer, **contents)
  with replacing(path) as file:
    file.write(buffer.getbuffer())
