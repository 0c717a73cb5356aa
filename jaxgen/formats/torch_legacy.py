"""Files of torch.save before 1.6, or without its zip archives.

They are a sequence of pickles and then of storages:

    a magic number, a version, a dict about the machine
    the object; its storages are persistent ids, as in a zip archive
    the list of the storages' keys
    for each key: the number of elements (int64) and the elements
"""

from __future__ import annotations

import io
import os
import pickle
import pickletools
from typing import Any, BinaryIO, Literal

import numpy as np

from jaxgen.formats import torch_pickle
from jaxgen.formats.memory_limit import check_fits

_MAGIC = 0x1950A86A20F9469CFC6C
_START = pickle.dumps(_MAGIC, protocol=2)
_VERSION = 1001


def is_legacy(file: BinaryIO) -> bool:
  """Whether a file begins with the magic number."""
  start = file.read(len(_START))
  file.seek(0)
  return start == _START


def load(file: BinaryIO) -> Any:
  """The object in a file, see `torch_files.read_torch`.

  Raises:
    Exception: the file is damaged, refused or larger than memory.
  """
  check_fits(file.seek(0, os.SEEK_END), "the file")
  file.seek(0)
  _plain(_next_pickle(file))  # the magic number
  if _plain(_next_pickle(file)) != _VERSION:
    raise ValueError("an unknown version")
  little = _plain(_next_pickle(file)).get("little_endian", True)
  content, keys = _next_pickle(file), _plain(_next_pickle(file))
  kinds = _storage_kinds(content)
  data = {
    key: _read_storage(file, *kinds[key], order="little" if little else "big")
    for key in keys
  }
  return _unpickle(content, lambda dtype, key, count: data[key])


def _next_pickle(file: BinaryIO) -> bytes:
  """The bytes of the pickle at the position of the file, checked."""
  start = file.tell()
  for _ in pickletools.genops(file):
    pass
  end = file.tell()
  file.seek(start)
  data = file.read(end - start)
  torch_pickle.check_memo(data)
  return data


def _storage_kinds(content: bytes) -> dict[str, tuple[str, int]]:
  """The type and the number of elements of each storage that a pickle names,
  found with storages that take no memory."""
  kinds: dict[str, tuple[str, int]] = {}

  def storage(dtype: str, key: str, count: int) -> np.ndarray:
    kinds[key] = dtype, count
    known = "uint8" if dtype == "untyped" else dtype
    zero = np.zeros((), "float32" if known == "bfloat16" else known)
    return np.lib.stride_tricks.as_strided(zero, (count,), (0,))

  _unpickle(content, storage)
  return kinds


def _read_storage(
  file: BinaryIO, dtype: str, count: int, *, order: Literal["little", "big"]
) -> np.ndarray:
  stored = int.from_bytes(file.read(8), order, signed=True)
  if stored != count:
    raise ValueError(f"a storage of {stored} elements, expected {count}")
  data = file.read(count * torch_pickle.item_size(dtype))
  return torch_pickle.elements(data, dtype, count, order=order)


def _unpickle(data: bytes, storage: torch_pickle.StorageFn) -> Any:
  return torch_pickle.Unpickler(io.BytesIO(data), storage).load()


def _plain(data: bytes) -> Any:
  """The content of a pickle without tensors."""

  def refuse(*_: Any) -> np.ndarray:
    raise ValueError("a tensor before the object")

  return _unpickle(data, refuse)
