"""The networks in EDM's pickles, as plain data.

A pickle of `torch_utils.persistence` has, for every object, a dict with the
name of its class, its state, and the source code of its module, which the
original loader runs. Here the source code is dropped: an object is its name and
its state, and storages are files of torch inside the pickle. What a pickle may
name beside `formats.torch_pickle` is in `_Unpickler.find_class`: stand-ins,
which keep data and run nothing.
"""

from __future__ import annotations

import io
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from jaxgen.errors import UserError
from jaxgen.formats import torch_legacy, torch_pickle
from jaxgen.formats.memory_limit import check_fits

_VERSION = 6  # of torch_utils.persistence
_CONTAINERS = ("ModuleDict", "ModuleList", "Sequential")
_NUMBERS = {"f8": "<f8", "f4": "<f4", "i8": "<i8", "i4": "<i4", "b1": "?"}
_DEEPEST = 32  # modules inside modules


class Stored:
  """An object of a pickle.

  Attributes:
    kind: the name of its class; "" for containers of torch.
    state: its attributes.
  """

  kind = ""

  def __init__(self) -> None:
    self.state: Mapping[str, Any] = {}

  def __setstate__(self, state: Any) -> None:
    self.state = _mapping(state)

  def arguments(self) -> dict[str, Any]:
    """The keyword arguments of its constructor."""
    return dict(_mapping(self.state.get("_init_kwargs") or {}))

  def module(self, name: str) -> Stored:
    """A module inside.

    Raises:
      ValueError: there is none.
    """
    found = _mapping(self.state.get("_modules")).get(name)
    if not isinstance(found, Stored):
      raise ValueError(f"{self.kind} has no module {name}")
    return found

  def arrays(self, depth: int = 0) -> Iterator[tuple[str, np.ndarray]]:
    """The parameters of all modules, by their names in torch."""
    if depth > _DEEPEST:
      raise ValueError("its modules are nested too deeply")
    for name, x in _mapping(self.state.get("_parameters")).items():
      if isinstance(x, np.ndarray):
        yield str(name), x
    for name, module in _mapping(self.state.get("_modules")).items():
      if isinstance(module, Stored):
        for inner, x in module.arrays(depth + 1):
          yield f"{name}.{inner}", x


def read(path: pathlib.Path) -> Stored:
  """The network `ema` of a pickle.

  Raises:
    UserError: the file is missing or damaged, larger than memory, names other
      objects, or has no network.
  """
  if not path.is_file():
    raise UserError(f"{path}: no such file.")
  try:
    data = path.read_bytes()
    check_fits(3 * len(data), path.name)
    torch_pickle.check_memo(data)
    content = _Unpickler(io.BytesIO(data), _no_storage).load()
    network = _mapping(content).get("ema")
  except OSError as e:
    raise UserError(f"{path}: cannot be read: {e.strerror}.") from e
  except torch_pickle.RefusedError as e:
    raise UserError(
      f"{path} {e}; expected a pickle of EDM: networks, tensors and plain"
      " containers."
    ) from e
  except Exception as e:  # pickle raises many types
    reason = " ".join(str(e).split()) or type(e).__name__
    raise UserError(f"{path} is damaged or no pickle: {reason}.") from e
  if not isinstance(network, Stored):
    raise UserError(f"{path}: expected a pickle of EDM: it has no network ema.")
  return network


class _Unpickler(torch_pickle.Unpickler):
  """An unpickler that makes `Stored` of objects."""

  def find_class(self, module: str, name: str) -> Any:
    known = {
      ("torch_utils.persistence", "_reconstruct_persistent_obj"): _stored,
      ("torch.storage", "_load_from_bytes"): _storage,
      ("dnnlib.util", "EasyDict"): _Dict,
      ("builtins", "set"): _set,
      ("numpy", "dtype"): _Type,
      ("numpy.core.multiarray", "scalar"): _number,
      ("numpy._core.multiarray", "scalar"): _number,
    }
    if (module, name) in known:
      return known[module, name]
    if module == "torch.nn.modules.container" and name in _CONTAINERS:
      return Stored
    return super().find_class(module, name)


class _Dict(dict):
  """A dict with a class of its own."""

  def __setstate__(self, state: Any) -> None:
    self.update(_mapping(state or {}))


class _Type:
  """The type of a number of NumPy."""

  def __init__(self, name: Any, *_: Any) -> None:
    self.name = _NUMBERS.get(str(name).lstrip("<"))

  def __setstate__(self, state: Any) -> None:
    """The byte order is in the name."""


def _number(kind: Any, data: Any) -> float:
  if not isinstance(kind, _Type) or kind.name is None:
    raise torch_pickle.RefusedError("refers to a number of another type")
  return np.frombuffer(data, kind.name, 1).item()


def _set(items: Any = ()) -> list[Any]:
  return list(items)


def _stored(meta: Any) -> Stored:
  """An object without the source code of its module."""
  meta = _mapping(meta)
  if meta.get("version") != _VERSION or meta.get("type") != "class":
    raise ValueError("it is of another version of torch_utils.persistence")
  found = Stored()
  found.kind = str(meta.get("class_name"))
  found.state = _mapping(meta.get("state") or {})
  return found


def _storage(data: Any) -> np.ndarray:
  """The elements of a storage, in a file of torch."""
  found = torch_legacy.load(io.BytesIO(data))
  if not isinstance(found, np.ndarray):
    raise torch_pickle.RefusedError("has a storage without elements")
  return found


def _no_storage(dtype: str, key: str, count: int) -> np.ndarray:
  raise torch_pickle.RefusedError(f"refers to the storage {key}")


def _mapping(x: Any) -> Mapping[Any, Any]:
  if x is None:
    return {}
  if not isinstance(x, Mapping):
    raise ValueError(f"expected a dict, got {type(x).__name__}")
  return x
