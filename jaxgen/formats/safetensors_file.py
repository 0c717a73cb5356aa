"""Named arrays in `.safetensors` files, with a digest of all of them."""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import safetensors
from safetensors import SafetensorError
from safetensors import numpy as tensors

from jaxgen.formats.atomic import replacing

DIGEST = "digest"
Arrays = Mapping[str, np.ndarray]


class Contents(NamedTuple):
  """The arrays of a file by name, and what it says of them."""

  arrays: dict[str, np.ndarray]
  about: dict[str, str]


def write(path: pathlib.Path, arrays: Arrays, about: Mapping[str, str]) -> None:
  """Write arrays, and texts about them, atomically."""
  arrays = {name: np.asarray(x, order="C") for name, x in arrays.items()}
  texts = {"format": "flax", **about, DIGEST: digest(arrays)}
  with replacing(path) as file:
    file.write(tensors.save(arrays, metadata=texts))


def read(path: pathlib.Path) -> Contents:
  """The contents of a file that `write` has written.

  Raises:
    ValueError: it is damaged, another file, or one without a digest.
    OSError: it cannot be read.
  """
  arrays, about = read_any(path)
  if about.get(DIGEST) != digest(arrays):
    raise ValueError("its values are not those that were written")
  return Contents(arrays, about)


def read_any(path: pathlib.Path) -> Contents:
  """The contents of a file of any library.

  Raises:
    ValueError: it is damaged, or another file.
    OSError: it cannot be read.
  """
  try:
    opened: Any = safetensors.safe_open(path, framework="np")
    with opened as file:
      about = dict(file.metadata() or {})
      arrays = {name: file.get_tensor(name) for name in file.keys()}
  except (SafetensorError, TypeError, ValueError, AttributeError) as e:
    reason = str(e).splitlines()[0][:100]
    raise ValueError(f"not a safetensors file ({reason})") from e
  return Contents(arrays, about)


def digest(arrays: Arrays) -> str:
  """A hash of arrays, with their names, types and shapes."""
  found = hashlib.sha256()
  for name, x in sorted(arrays.items()):
    found.update(f"{name} {x.dtype} {x.shape}\n".encode())
    found.update(np.ascontiguousarray(x).tobytes())
  return found.hexdigest()
