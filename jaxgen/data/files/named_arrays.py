"""Arrays by name in `.npy`, `.npz` and `.pt` files."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Mapping

import numpy as np

from jaxgen.errors import UserError
from jaxgen.formats.image_files import reason
from jaxgen.formats.npz import Header, open_npz, read_header, read_headers
from jaxgen.formats.torch_files import read_torch

SUFFIXES = (".npy", ".npz", ".pt", ".pth")
_TORCH = (".pt", ".pth")
UNNAMED = ""  # name of the array of an `.npy`, or of a tensor alone in a `.pt`

Stamp = tuple[int, int]  # size, modification time


@dataclasses.dataclass(frozen=True)
class ArrayFile:
  """An array in a file, in the version of its `stamp`."""

  path: str
  key: str
  stamp: Stamp

  @property
  def channels_first(self) -> bool:
    """Whether images are usually (c, h, w) in such files."""
    return is_torch(self.path)


def is_torch(path: str) -> bool:
  """Whether a file is one of PyTorch's."""
  return pathlib.PurePath(path).suffix.lower() in _TORCH


def stamp_of(path: pathlib.Path) -> Stamp:
  """What changes with a file."""
  stat = path.stat()
  return stat.st_size, stat.st_mtime_ns


def headers(path: str, stamp: Stamp) -> dict[str, Header]:
  """The shape and type of each array of a file.

  Raises:
    UserError: the file is damaged or another.
  """
  if is_torch(path):
    arrays = _tensors(path, stamp)
    return {key: Header(x.shape, x.dtype) for key, x in arrays.items()}
  try:
    if path.lower().endswith(".npz"):
      return read_headers(pathlib.Path(path))
    with open(path, "rb") as file:
      return {UNNAMED: read_header(file)}
  except Exception as error:
    raise _damaged(path, error) from error


@functools.lru_cache(maxsize=4)
def open_array(file: ArrayFile) -> np.ndarray:
  """Open an array, memory-mapped for an `.npy` file; never unpickled.

  Raises:
    UserError: the file is damaged, or the array has objects.
  """
  if is_torch(file.path):
    return _tensors(file.path, file.stamp)[file.key]
  try:
    if file.key == UNNAMED:
      return np.load(file.path, mmap_mode="r", allow_pickle=False)
    with open_npz(pathlib.Path(file.path)) as arrays:
      return arrays[file.key]
  except Exception as error:
    raise _damaged(file.path, error) from error


def _damaged(path: str, error: Exception) -> UserError:
  suffix = pathlib.PurePath(path).suffix.lower()
  return UserError(
    f"{path}: damaged, or no {suffix} file of numbers ({reason(error)})"
  )


@functools.lru_cache(maxsize=4)
def _tensors(path: str, stamp: Stamp) -> Mapping[str, np.ndarray]:
  """The tensors of a dict, or a single one."""
  del stamp  # part of the cache key
  content = read_torch(path)
  if isinstance(content, np.ndarray):
    return {UNNAMED: content}
  if not isinstance(content, dict):
    raise UserError(
      f"{path}: expected a tensor, or a dict of tensors such as `clean_norm`,"
      f" got {type(content).__name__}"
    )
  return {
    str(key): x for key, x in content.items() if isinstance(x, np.ndarray)
  }
