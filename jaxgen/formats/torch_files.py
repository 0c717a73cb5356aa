"""Reads tensors from PyTorch's `.pt` files without PyTorch, and without
executing what they contain.

A `.pt` file (torch.save since 1.6) is an uncompressed zip archive:

    NAME/data.pkl      a pickle, in which a tensor is a call of
                       torch._utils._rebuild_tensor_v2(storage, offset, size,
                       stride, ...) and a storage a persistent id
                       ("storage", torch.FloatStorage, KEY, device, numel)
    NAME/data/KEY      the storage's bytes
    NAME/byteorder     "little" or "big"; absent: little

A pickle runs whatever callables it names. Here it may name only what
`_Unpickler.find_class` knows: containers, the two ways to build a tensor and
the types of storages (as mere strings). Anything else is refused by its name
before it is looked up, so that no code outside of this file runs.
"""

from __future__ import annotations

import collections
import io
import math
import pathlib
import pickle
import pickletools
import zipfile
from typing import Any, Literal

import numpy as np

from jaxgen.errors import UserError

_BFLOAT16 = "bfloat16"
_STORAGES = {
  "FloatStorage": "float32",
  "DoubleStorage": "float64",
  "HalfStorage": "float16",
  "BFloat16Storage": _BFLOAT16,
  "ByteStorage": "uint8",
  "CharStorage": "int8",
  "ShortStorage": "int16",
  "IntStorage": "int32",
  "LongStorage": "int64",
  "BoolStorage": "bool",
}
_DTYPES = ("uint16", "uint32", "uint64")  # these have no storage of their own
_UNTYPED = "untyped"
_MAX_EXPANDED = 2**28  # elements that strides of 0 may make of a storage


class RefusedError(ValueError):
  """A pickle that asks for something which is neither tensor nor container."""


def read_torch(path: str | pathlib.Path) -> Any:
  """The object in a `.pt` file; tensors become NumPy arrays (bfloat16 becomes
  float32, which holds it exactly), on whatever device they were.

  Returns:
    Tensors, and dict, OrderedDict, list, tuple, str, numbers, bool and None.

  Raises:
    UserError: the file is missing or damaged, or it holds anything else.
  """
  try:
    with zipfile.ZipFile(path) as archive:
      return _Reader(archive).load()
  except RefusedError as error:
    raise UserError(
      f"{path}: {error}. Only tensors and plain containers are read: save the"
      " tile as a dict of them"
    ) from error
  except FileNotFoundError as error:
    raise UserError(f"no file {path}") from error
  except Exception as error:
    reason = " ".join(str(error).split()) or type(error).__name__
    raise UserError(
      f"{path} is damaged or no .pt file of torch 1.6 or later: {reason}"
    ) from error


class _Reader:
  """Storages and the pickle of one archive."""

  def __init__(self, archive: zipfile.ZipFile):
    pickles = [x for x in archive.namelist() if x.endswith("/data.pkl")]
    if len(pickles) != 1:
      raise ValueError("no data.pkl in it")
    self._archive = archive
    self._prefix = pickles[0].removesuffix("data.pkl")
    self._order: Literal["little", "big"] = self._byte_order()
    self._storages: dict[str, bytes] = {}

  def load(self) -> Any:
    data = self._read("data.pkl")
    check_memo(data)
    return _Unpickler(io.BytesIO(data), self.storage).load()

  def storage(self, dtype: str, key: str, count: int) -> np.ndarray:
    """All `count` elements of a storage, (count,)."""
    if key not in self._storages:
      self._storages[key] = self._read(f"data/{key}")
    data = self._storages[key]
    if dtype == _UNTYPED:
      return np.frombuffer(data, np.uint8, count)
    stored = np.dtype("uint16" if dtype == _BFLOAT16 else dtype)
    values = np.frombuffer(data, stored.newbyteorder(self._order), count)
    values = values.astype(stored, copy=False)
    if dtype != _BFLOAT16:
      return values
    return (values.astype(np.uint32) << 16).view(np.float32)

  def _read(self, name: str) -> bytes:
    entry = self._archive.getinfo(self._prefix + name)
    if entry.compress_type != zipfile.ZIP_STORED:
      raise ValueError("its archive is compressed, which torch.save never does")
    return self._archive.read(entry)

  def _byte_order(self) -> Literal["little", "big"]:
    name = self._prefix + "byteorder"
    if name not in self._archive.namelist():
      return "little"
    order = self._read("byteorder").decode()
    if order == "little" or order == "big":
      return order
    raise ValueError(f"unknown byte order {order!r}")


class _Unpickler(pickle.Unpickler):
  """Knows a handful of names. What it hands out for them are strings, bound
  methods and OrderedDict, none of which a pickle can bend to anything else."""

  def __init__(self, file: io.BytesIO, storage):
    super().__init__(file)
    self._storage = storage

  def find_class(self, module: str, name: str) -> Any:
    if (module, name) == ("collections", "OrderedDict"):
      return collections.OrderedDict
    if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
      return self._rebuild_tensor
    if (module, name) == ("torch._utils", "_rebuild_tensor_v3"):
      return self._rebuild_untyped_tensor
    if (module, name) == ("torch._utils", "_rebuild_parameter"):
      return self._rebuild_parameter
    if (module, name) == ("torch.storage", "UntypedStorage"):
      return _UNTYPED
    if module == "torch" and name in _STORAGES:
      return _STORAGES[name]
    if module == "torch" and name in _DTYPES:
      return name
    raise RefusedError(f"asks for {module}.{name}")

  def persistent_load(self, pid: Any) -> np.ndarray:
    kind, dtype, key, _, count = pid
    known = (*_STORAGES.values(), _UNTYPED)
    if kind != "storage" or dtype not in known or not isinstance(key, str):
      raise RefusedError(f"asks for the object {pid!r}")
    return self._storage(dtype, key, count)

  def _rebuild_tensor(self, storage, offset, size, stride, *_) -> np.ndarray:
    return _view(storage, offset, size, stride)

  def _rebuild_untyped_tensor(
    self, storage, offset, size, stride, grad, hooks, dtype, *_
  ) -> np.ndarray:
    del grad, hooks
    if dtype not in _DTYPES:
      raise RefusedError(f"asks for a tensor of {dtype!r}")
    return _view(storage.view(dtype), offset, size, stride)

  def _rebuild_parameter(self, data, *_) -> np.ndarray:
    return data


def check_memo(data: bytes) -> None:
  """A memo index costs memory up to it: no honest one exceeds the length."""
  for opcode, argument, _ in pickletools.genops(data):
    if opcode.name.endswith("PUT") and int(argument or 0) > len(data):
      raise ValueError(f"memo index {argument} in its pickle")


def _view(storage: np.ndarray, offset, size, stride) -> np.ndarray:
  """A strided view whose every element lies inside of the storage."""
  numbers = (offset, *size, *stride)
  if len(size) != len(stride) or any(
    not isinstance(x, int) or x < 0 for x in numbers
  ):
    raise ValueError("a tensor of impossible shape")
  if 0 in size:
    return np.zeros(size, storage.dtype)
  last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
  if last >= storage.size or math.prod(size) > max(storage.size, _MAX_EXPANDED):
    raise ValueError("a tensor larger than its storage")
  return np.lib.stride_tricks.as_strided(
    storage[offset:],
    shape=size,
    strides=[s * storage.itemsize for s in stride],
    writeable=False,
  )
