"""Reader of tensors in PyTorch's `.pt` files: it needs no PyTorch and executes
no code from the files.

A `.pt` file (torch.save since 1.6; `torch_legacy` is for older ones) is an
uncompressed zip archive:

    NAME/data.pkl      a pickle, in which a tensor is a call of
                       torch._utils._rebuild_tensor_v2(storage, offset, size,
                       stride, ...) and a storage a persistent id
                       ("storage", torch.FloatStorage, KEY, device, numel)
    NAME/data/KEY      the storage's bytes
    NAME/byteorder     "little" or "big"; absent: little

What a pickle may name: see `torch_pickle`.
"""

from __future__ import annotations

import io
import pathlib
import zipfile
from typing import Any, Literal

import numpy as np

from jaxgen.errors import UserError
from jaxgen.formats import torch_legacy, torch_pickle
from jaxgen.formats.memory_limit import check_fits


def read_torch(path: str | pathlib.Path) -> Any:
  """Read the object in a `.pt` file.

  Tensors of any device become NumPy arrays; bfloat16 becomes float32, without
  loss.

  Returns:
    Arrays, and dict, OrderedDict, list, tuple, str, numbers, bool and None.

  Raises:
    UserError: the file is missing or damaged, larger than memory, or holds
      other objects.
  """
  try:
    with pathlib.Path(path).open("rb") as file:
      if torch_legacy.is_legacy(file):
        return torch_legacy.load(file)
      with zipfile.ZipFile(file) as archive:
        return _Reader(archive).load()
  except torch_pickle.RefusedError as error:
    raise UserError(
      f"{path}: {error}; expected only tensors and plain containers: save the"
      " image as a dict of them"
    ) from error
  except FileNotFoundError as error:
    raise UserError(f"no file {path}") from error
  except Exception as error:
    reason = " ".join(str(error).split()) or type(error).__name__
    raise UserError(
      f"{path} is damaged or not a .pt file of torch: {reason}"
    ) from error


class _Reader:
  """A reader of the pickle and the storages of one archive."""

  def __init__(self, archive: zipfile.ZipFile):
    pickles = [x for x in archive.namelist() if x.endswith("/data.pkl")]
    if len(pickles) != 1:
      raise ValueError("expected one data.pkl in the archive")
    size = sum(entry.file_size for entry in archive.infolist())
    check_fits(size, "the archive")
    self._archive = archive
    self._prefix = pickles[0].removesuffix("data.pkl")
    self._order: Literal["little", "big"] = self._byte_order()
    self._storages: dict[str, bytes] = {}

  def load(self) -> Any:
    data = self._read("data.pkl")
    torch_pickle.check_memo(data)
    return torch_pickle.Unpickler(io.BytesIO(data), self.storage).load()

  def storage(self, dtype: str, key: str, count: int) -> np.ndarray:
    """The `count` elements of a storage, (count,)."""
    if key not in self._storages:
      self._storages[key] = self._read(f"data/{key}")
    return torch_pickle.elements(
      self._storages[key], dtype, count, order=self._order
    )

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
