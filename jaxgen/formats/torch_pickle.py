"""The pickles in PyTorch's files: tensors and plain containers, nothing else.

A pickle can call any callable that it names. Here it may name only those in
`Unpickler.find_class`: containers, the functions that build tensors and the
storage types (as strings). Any other name is rejected before it is looked up,
so that no code outside this file runs.
"""

from __future__ import annotations

import collections
import math
import pickle
import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO, Literal

import numpy as np

StorageFn = Callable[[str, str, int], np.ndarray]  # type, key, elements

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
  "ComplexFloatStorage": "complex64",
  "ComplexDoubleStorage": "complex128",
}
_DTYPES = ("uint16", "uint32", "uint64")  # types without a typed storage
_UNTYPED = "untyped"
_MAX_EXPANDED = 2**28  # maximum elements of a tensor with strides of 0


class RefusedError(ValueError):
  """A pickle that names something other than a tensor or container."""


def elements(
  data: bytes, dtype: str, count: int, *, order: Literal["little", "big"]
) -> np.ndarray:
  """The `count` elements of a storage, (count,), of its stored bytes."""
  if dtype == _UNTYPED:
    return np.frombuffer(data, np.uint8, count)
  stored = np.dtype("uint16" if dtype == _BFLOAT16 else dtype)
  values = np.frombuffer(data, stored.newbyteorder(order), count)
  values = values.astype(stored, copy=False)
  if dtype != _BFLOAT16:
    return values
  return (values.astype(np.uint32) << 16).view(np.float32)


def item_size(dtype: str) -> int:
  """Bytes of an element as it is stored."""
  sizes = {_UNTYPED: 1, _BFLOAT16: 2}
  return sizes.get(dtype) or np.dtype(dtype).itemsize


class Unpickler(pickle.Unpickler):
  """An unpickler that accepts only a few names.

  They map to strings, bound methods and OrderedDict, none of which gives a
  pickle access to other callables.
  """

  def __init__(self, file: BinaryIO, storage: StorageFn):
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
    kind, dtype, key, _, count, *view = pid
    known = (*_STORAGES.values(), _UNTYPED)
    plain = isinstance(key, str) and view in ([], [None])
    if kind != "storage" or dtype not in known or not plain:
      raise RefusedError(f"refers to the object {pid!r}")
    return self._storage(dtype, key, count)

  def _rebuild_tensor(
    self, storage, offset, size, stride, grad=False, hooks=None, bits=None
  ) -> np.ndarray:
    del grad, hooks
    tensor = _view(storage, offset, size, stride)
    if not bits:
      return tensor
    tensor = np.conj(tensor) if bits.get("conj") else tensor
    return -tensor if bits.get("neg") else tensor

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
