"""Weights in files of other libraries: named arrays in `.safetensors`, `.npz`,
or PyTorch's `.bin` and `.pt`."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping

import jax.numpy as jnp
import numpy as np

from jaxgen.errors import UserError
from jaxgen.formats import npz, safetensors_file, torch_files
from jaxgen.formats.memory_limit import check_fits

Arrays = Mapping[str, np.ndarray]


def read(path: pathlib.Path) -> dict[str, np.ndarray]:
  """The arrays of a file by name, float32.

  Raises:
    UserError: no such file, another kind of file, a damaged one, or values
      that are no finite floating-point numbers.
  """
  if not path.is_file():
    raise UserError(f"{path}: no such file.")
  if path.suffix not in _READERS:
    known = ", ".join(_READERS)
    raise UserError(f"{path}: expected a file of weights: {known}.")
  try:
    check_fits(path.stat().st_size, path.name)
    arrays = _READERS[path.suffix](path)
  except UserError:
    raise
  except Exception as e:  # numpy and zipfile raise many types
    reason = " ".join(str(e).split()) or type(e).__name__
    raise UserError(f"{path} is damaged: {reason}.") from e
  return {name: as_float32(x, f"{path}: {name}") for name, x in arrays.items()}


def _safetensors(path: pathlib.Path) -> Arrays:
  return safetensors_file.read_any(path).arrays


def _npz(path: pathlib.Path) -> Arrays:
  with npz.open_npz(path) as file:
    return {name: file[name] for name in file.files}


def _torch(path: pathlib.Path) -> Arrays:
  found = torch_files.read_torch(path)
  if not isinstance(found, dict):
    raise ValueError(f"expected a dict of tensors, got {type(found).__name__}")
  return {str(name): np.asarray(x) for name, x in found.items()}


_READERS: dict[str, Callable[[pathlib.Path], Arrays]] = {
  ".safetensors": _safetensors,
  ".npz": _npz,
  ".bin": _torch,
  ".pt": _torch,
}


def as_float32(x: np.ndarray, label: str) -> np.ndarray:
  """An array in float32.

  Raises:
    UserError: its values, of what the label says, are no finite floating-point
      numbers.
  """
  if not jnp.issubdtype(x.dtype, jnp.floating):
    raise UserError(f"{label}: expected floating-point numbers, got {x.dtype}.")
  values = np.asarray(x, np.float32)
  if not np.isfinite(values).all():
    raise UserError(f"{label}: expected finite numbers.")
  return values
