"""Images in `.npy` and `.npz` arrays, and in `.pt` files.

An array has n photographs, (n, h, w) or (n, h, w, c), or a single one, (h, w)
or (h, w, c). Three axes are (h, w, c) if the last has length `channels` or at
most 4. Arrays are cut into tiles like photographs. `uint8` and `uint16` are
unchanged, floats are mapped from `value_range` to [-1, 1] and clipped. `.npy`
files are memory-mapped.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import zipfile

import numpy as np

from jaxgen.config.data import DataConfig, Split
from jaxgen.data import photos, splits, tiles
from jaxgen.data.files import values
from jaxgen.data.files.torch_tiles import torch_photos
from jaxgen.data.source import Source
from jaxgen.errors import UserError
from jaxgen.formats.npz import open_npz

_IMAGE_KEYS = ("image", "images")
_LABEL_KEYS = ("label", "labels")
_format = np.lib.format


@dataclasses.dataclass(frozen=True)
class ArrayFile:
  """An array in a file, in the version of its `stamp` (size, modification
  time)."""

  path: str
  key: str  # name in an `.npz`; empty: an `.npy`
  stamp: tuple[int, int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArrayPhotos:
  """A loader of photograph i of an array, as a view; picklable, since each
  process opens the file itself."""

  file: ArrayFile
  channels: int

  def __call__(self, photo: int) -> photos.Photo:
    return (self.stack()[photo],)

  def stack(self) -> np.ndarray:
    """All photographs (n, h, w, c), as a view."""
    return as_images(open_array(self.file), self.channels)


def arrays(options: DataConfig, split: Split, resolution: int) -> Source:
  """Tiles of arrays in `path`: an `.npy`, `.npz` or `.pt` file, or a folder of
  `.pt` files, which are read without executing code from them.

  All values are checked once at the start. An array `label` or `labels` in an
  `.npz` file (integers, -1: missing, or strings) defines the classes.

  Options used: `path, key, value_range, channels, crop, crop_size, upsample,
  split_by, validation_fraction, on_bad, cache_mb`.

  Raises:
    UserError: no such file, an array that is not an image, non-finite values,
      or more than a tenth of the values outside `value_range`.
  """
  path = pathlib.Path(options.path)
  if path.suffix in (".npy", ".npz") and path.is_file():
    described = _array_photos(options)
  elif options.path and (path.is_dir() or path.suffix == ".pt"):
    described = torch_photos(options)
  else:
    raise UserError(
      f"data.path={options.path!r}: expected an .npy, .npz or .pt file, or a"
      " folder of .pt files"
    )
  return tiles.cut(described, options, split=split, resolution=resolution)


def as_images(array: np.ndarray, channels: int) -> np.ndarray:
  """A view (n, h, w, c) of an array with two to four axes."""
  last = array.shape[-1]
  if array.ndim == 2:
    return array[None, ..., None]
  if array.ndim == 3 and (last <= 4 or last == channels):
    return array[None]
  return array[..., None] if array.ndim == 3 else array


@functools.lru_cache(maxsize=4)
def open_array(file: ArrayFile) -> np.ndarray:
  """Open an array, memory-mapped for an `.npy` file; never unpickled.

  Raises:
    UserError: the file is damaged, or the array has objects.
  """
  try:
    if not file.key:
      return np.load(file.path, mmap_mode="r", allow_pickle=False)
    with open_npz(pathlib.Path(file.path)) as arrays:
      return arrays[file.key]
  except Exception as error:
    raise UserError(
      f"{file.path}: expected arrays of numbers: {error}"
    ) from error


def _array_photos(options: DataConfig) -> photos.Photos:
  path = options.path
  stat = pathlib.Path(path).stat()
  stamp = stat.st_size, stat.st_mtime_ns
  key, label_key = "", None
  if path.endswith(".npz"):
    key, label_key = _choose_keys(path, options.key)
  file = ArrayFile(path, key, stamp)
  checked = _check_array(file, options.channels, options.value_range)
  images = as_images(open_array(file), options.channels)
  label_names, labels = (), np.zeros(0, np.int32)
  if label_key is not None:
    labels = open_array(ArrayFile(path, label_key, stamp)).reshape(-1)
    label_names, labels = _label_names(labels)
    if len(labels) != len(images):
      raise UserError(
        f"{path}: expected {len(images)} values in {label_key}, one per image,"
        f" got {len(labels)}"
      )
  load = ArrayPhotos(file=file, channels=options.channels)
  return photos.Photos(
    names=[f"image {i}" for i in range(len(images))],
    sizes=[images.shape[1:3]] * len(images),
    digests=[x.digest for x in checked],
    load=load,
    stack=load.stack,
    labels=labels,
    label_names=label_names,
    finish=functools.partial(
      values.to_model_range, value_range=options.value_range
    ),
    extra=f"{key} {options.value_range}",
  )


@functools.cache
def _check_array(
  file: ArrayFile, channels: int, value_range: tuple[float, float]
) -> tuple[values.Values, ...]:
  """Check every image of an array.

  Raises:
    UserError: some images cannot be used.
  """
  array = open_array(file)
  name = f"{file.path} {file.key}".strip()
  if array.ndim not in (2, 3, 4) or not array.size:
    raise UserError(
      f"{name}: expected a shape (n, h, w), (n, h, w, c), (h, w) or (h, w, c),"
      f" got {array.shape}"
    )
  checked, problems = [], []
  for i, image in enumerate(as_images(array, channels)):
    try:
      checked.append(values.examine(image, channels, value_range))
    except ValueError as error:
      problems.append(f"[{i}]: {error}")
  if problems:
    shown = "; ".join(problems[:10])
    raise UserError(
      f"{name} {array.shape}: {len(problems)} unusable images: {shown}"
    )
  values.check_range(name, checked, value_range)
  return tuple(checked)


def _choose_keys(path: str, key: str) -> tuple[str, str | None]:
  """The names of an `.npz` file's arrays of images and of labels."""
  headers = _headers(path)
  label = next((x for x in _LABEL_KEYS if x in headers), None)
  if key and key not in headers:
    raise UserError(
      f"data.key={key}: expected one of {', '.join(headers)} (in {path})"
    )
  if key:
    return key, label
  dims = {
    name: len(shape)
    for name, (shape, dtype) in headers.items()
    if len(shape) in (2, 3, 4) and dtype.kind in "uf" and name != label
  }
  named = [name for name in _IMAGE_KEYS if name in dims]
  candidates = named or [x for x in dims if dims[x] > 2] or list(dims)
  if not candidates:
    raise UserError(
      f"{path}: expected an array of images, got {', '.join(headers)}"
    )
  return candidates[0], label


def _headers(path: str) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
  """The shapes and types of an `.npz` file's arrays, without reading them."""
  headers = {}
  try:
    with zipfile.ZipFile(path) as archive:
      for name in archive.namelist():
        with archive.open(name) as file:
          if _format.read_magic(file) == (1, 0):
            read = _format.read_array_header_1_0
          else:
            read = _format.read_array_header_2_0
          shape, _, dtype = read(file)
        headers[name.removesuffix(".npy")] = shape, dtype
  except Exception as error:
    raise UserError(f"{path} is not an .npz file: {error}") from error
  return headers


def _label_names(labels: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
  if labels.dtype.kind not in "iu":
    return splits.index_labels([str(x) for x in labels])
  return splits.number_labels(labels)
