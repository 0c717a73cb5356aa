"""Reader of tensors in PyTorch's `.pt` files: it needs no PyTorch and executes
no code from the files.

A `.pt` file (torch.save since 1.6) is an uncompressed zip archive:

    NAME/data.pkl      a pickle, in which a tensor is a call of
                       torch._utils._rebuild_tensor_v2(storage, offset, size,
                       stride, ...) and a storage a persistent id
                       ("storage", torch.FloatStorage, KEY, device, numel)
    NAME/data/KEY      the storage's bytes
    NAME/byteorder     "little" or "big"; absent: little

A pickle can call any callable that it names. Here it may name only those in
`_Unpickler.find_class`: containers, the functions that build tensors and the
storage types (as strings). Any other name is rejected before it is looked up,
so that no code outside this file runs.
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
_DTYPES = ("uint16", "uint32", "uint64")  # types without a typed storage
_UNTYPED = "untyped"
_MAX_EXPANDED = 2**28  # maximum elements of a tensor with strides of 0


class RefusedError(ValueError):
  """A pickle that names something other than a tensor or container."""


def read_torch(path: str | pathlib.Path) -> Any:
  """Read the object in a `.pt` file.

  Tensors of any device become NumPy arrays; bfloat16 becomes float32, without
  loss.

  Returns:
    Arrays, and dict, OrderedDict, list, tuple, str, numbers, bool and None.

  Raises:
    UserError: the file is missing or damaged, or holds other objects.
  """
  try:
    with zipfile.ZipFile(path) as archive:
      return _Reader(archive).load()
  except RefusedError as error:
    raise UserError(
      f"{path}: {error}; expected only tensors and plain containers: save the"
      " image as a dict of them"
    ) from error
  except FileNotFoundError as error:
    raise UserError(f"no file {path}") from error
  except Exception as error:
    reason = " ".join(str(error).split()) or type(error).__name__
    raise UserError(
      f"{path} is damaged or not a .pt file of torch 1.6 or later: {reason}"
    ) from error


class _Reader:
  """A reader of the pickle and the storages of one archive."""

  def __init__(self, archive: zipfile.ZipFile):
    pickles = [x for x in archive.namelist() if x.endswith("/data.pkl")]
    if len(pickles) != 1:
      raise ValueError("expected one data.pkl in the archive")
    self._archive = archive
    self._prefix = pickles[0].removesuffix("data.pkl")
    self._order: Literal["little", "big"] = self._byte_order()
    self._storages: dict[str, bytes] = {}

  def load(self) -> Any:
    data = self._read("data.pkl")
    check_memo(data)
    return _Unpickler(io.BytesIO(data), self.storage).load()

  def storage(self, dtype: str, key: str, count: int) -> np.ndarray:
    """The `count` elements of a storage, (count,)."""
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
      raise ValueError("expected an uncompressed archive, as torch.save makes")
    return self._archive.read(entry)

  def _byte_order(self) -> Literal["little", "big"]:
    name = self._prefix + "byteorder"
    if name not in self._archive.namelist():
      return "little"
    order = self._read("byteorder").decode()
    if order == "little" or order == "big":
      return order
    raise ValueError(f"byte order {order!r}: expected little or big")


class _Unpickler(pickle.Unpickler):
  """An unpickler that accepts only a few names.

  They map to strings, bound methods and OrderedDict, none of which gives a
  pickle access to other callables.
  """

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
    raise RefusedError(f"refers to {module}.{name}")

  def persistent_load(self, pid: Any) -> np.ndarray:
    kind, dtype, key, _, count = pid
    known = (*_STORAGES.values(), _UNTYPED)
    if kind != "storage" or dtype not in known or not isinstance(key, str):
      raise RefusedError(f"refers to the object {pid!r}")
    return self._storage(dtype, key, count)

  def _rebuild_tensor(self, storage, offset, size, stride, *_) -> np.ndarray:
    return _view(storage, offset, size, stride)

  def _rebuild_untyped_tensor(
    self, storage, offset, size, stride, grad, hooks, dtype, *_
  ) -> np.ndarray:
    del grad, hooks
    if dtype not in _DTYPES:
      raise RefusedError(f"refers to a tensor of type {dtype!r}")
    return _view(storage.view(dtype), offset, size, stride)

  def _rebuild_parameter(self, data, *_) -> np.ndarray:
    return data


def check_memo(data: bytes) -> None:
  """Raise a ValueError for a memo index larger than the pickle: the memo
  allocates memory up to its largest index."""
  for opcode, argument, _ in pickletools.genops(data):
    if opcode.name.endswith("PUT") and int(argument or 0) > len(data):
      raise ValueError(f"its pickle has the memo index {argument}")


def _view(storage: np.ndarray, offset, size, stride) -> np.ndarray:
  """A strided view, checked to lie inside the storage."""
  numbers = (offset, *size, *stride)
  if len(size) != len(stride) or any(
    not isinstance(x, int) or x < 0 for x in numbers
  ):
    raise ValueError("a tensor has an impossible shape")
  if 0 in size:
    return np.zeros(size, storage.dtype)
  last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
  if last >= storage.size or math.prod(size) > max(storage.size, _MAX_EXPANDED):
    raise ValueError("a tensor is larger than its storage")
  return np.lib.stride_tricks.as_strided(
    storage[offset:],
    shape=size,
    strides=[s * storage.itemsize for s in stride],
    writeable=False,
  )
