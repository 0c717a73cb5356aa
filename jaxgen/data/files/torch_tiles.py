"""Images in `.pt` files that contain a dict of tensors.

The image is the tensor `clean_norm` (C, H, W), or the one named by `data.key`.
Subfolders define the class (`[prior_clean/]DOMAIN/[train/]NAME.pt`) and, if
named `train` and `validation` (or `val`, or `test`), the split.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib

import numpy as np

from jaxgen.config.data import DataConfig
from jaxgen.data import photos, splits
from jaxgen.data.files import values
from jaxgen.errors import UserError
from jaxgen.formats.torch_files import read_torch

_TENSOR = "clean_norm"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TorchPhotos:
  """A reader of the image in the i-th file; picklable."""

  paths: tuple[str, ...]
  key: str

  def __call__(self, photo: int) -> photos.Photo:
    return (read_tile(self.paths[photo], self.key),)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Tile:
  size: tuple[int, int]
  kind: str
  values: values.Values


def read_tile(path: str, key: str = "") -> np.ndarray:
  """Read the tensor (C, H, W) of a file as (H, W, C), in its stored type.

  Raises:
    UserError: as for `read_torch`, or there is no such tensor.
  """
  content = read_torch(path)
  key = key or _TENSOR
  tensor = content.get(key) if isinstance(content, dict) else None
  if not isinstance(tensor, np.ndarray) or tensor.ndim != 3:
    raise UserError(f"{path}: expected a dict with a tensor `{key}` (C, H, W)")
  return np.ascontiguousarray(np.moveaxis(tensor, 0, 2))


def torch_photos(options: DataConfig) -> photos.Photos:
  """The images of a `.pt` file or of a folder of such files.

  Each is read once to check it; failures are listed in `problems`.

  Raises:
    UserError: no files, images of different types, or more than a tenth of the
      values outside `value_range`.
  """
  path = pathlib.Path(options.path)
  root = path.parent if path.is_file() else path
  paths = [path] if path.is_file() else sorted(path.rglob("*.pt"))
  if not paths:
    raise UserError(f"data.path={path}: expected a folder with .pt files")
  checked = [(file, _check_file(file, options)) for file in paths]
  good = [(file, x) for file, x in checked if isinstance(x, _Tile)]
  kinds = sorted({tile.kind for _, tile in good})
  if len(kinds) > 1:
    raise UserError(
      f"{path}: expected images of one type, got {', '.join(kinds)}"
    )
  checked_values = [tile.values for _, tile in good]
  values.check_range(str(path), checked_values, options.value_range)
  names = [file.relative_to(root).as_posix() for file, _ in good]
  label_names, labels = splits.class_labels(names)
  return photos.Photos(
    names=names,
    sizes=[tile.size for _, tile in good],
    digests=[x.digest for x in checked_values],
    load=TorchPhotos(paths=tuple(str(x) for x, _ in good), key=options.key),
    labels=labels if label_names else (),
    label_names=label_names,
    finish=functools.partial(
      values.to_model_range, value_range=options.value_range
    ),
    problems=[x for _, x in checked if isinstance(x, str)],
    extra=f"{options.key} {options.value_range}",
  )


def _check_file(path: pathlib.Path, options: DataConfig) -> _Tile | str:
  try:
    stat = path.stat()
    stamp = stat.st_size, stat.st_mtime_ns
    return _check_once(
      str(path),
      key=options.key,
      channels=options.channels,
      value_range=options.value_range,
      stamp=stamp,
    )
  except UserError as error:
    return str(error)
  except (OSError, ValueError) as error:
    return f"{path}: {error}"


@functools.cache
def _check_once(
  path: str,
  *,
  key: str,
  channels: int,
  value_range: tuple[float, float],
  stamp: tuple[int, int],
) -> _Tile:
  del stamp  # part of the cache key
  tile = read_tile(path, key)
  return _Tile(
    size=(tile.shape[0], tile.shape[1]),
    kind="float" if tile.dtype.kind == "f" else tile.dtype.name,
    values=values.examine(tile, channels, value_range),
  )
