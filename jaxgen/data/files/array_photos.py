"""Photographs in arrays of one or more files: their checks and their loader."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from jaxgen.config.data import DataConfig
from jaxgen.data import photos
from jaxgen.data.files import array_shapes, values
from jaxgen.data.files.named_arrays import ArrayFile, open_array
from jaxgen.data.files.values import ValueRange, Values
from jaxgen.errors import UserError
from jaxgen.formats.image_files import reason


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArrayPhotos:
  """A loader of photograph i, as a view; picklable, since each process opens
  the files itself.

  Attributes:
    files: the arrays.
    places: (photographs, 2), the array of each photograph and its row there.
    channels: `data.channels`.
  """

  files: tuple[ArrayFile, ...]
  places: np.ndarray
  channels: int

  def __call__(self, photo: int) -> photos.Photo:
    file, row = self.places[photo]
    return (open_images(self.files[file], self.channels)[row],)

  def stack(self) -> np.ndarray:
    """All photographs (n, h, w, c): a view, if they are in one array."""
    if len(self.files) == 1:
      return open_images(self.files[0], self.channels)
    return _joined(self.files, self.channels)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checked:
  """What is known of the images of an array.

  Attributes:
    images: the summary of each image, or why it cannot be used.
    size: height and width.
    note: how its axes are read, where there is doubt; else empty.
  """

  images: tuple[Values | str, ...]
  size: tuple[int, int]
  note: str = ""


def open_images(file: ArrayFile, channels: int) -> np.ndarray:
  """The images (n, h, w, c) of an array, as a view."""
  array = open_array(file)
  return array_shapes.as_images(
    array, channels, channels_first=file.channels_first
  )


def check_array(file: ArrayFile, options: DataConfig) -> Checked | str:
  """Check every image of an array once; a string: why it cannot be used."""
  try:
    return _check_once(file, options.channels, options.value_range)
  except UserError as error:
    return str(error).removeprefix(f"{file.path}: ")
  except Exception as error:
    return reason(error)


def can_stack(checked: Sequence[Checked]) -> bool:
  """Whether all images of some arrays can be one array."""
  kinds = {
    (x.size, image.dtype, image.channels)
    for x in checked
    for image in x.images
    if not isinstance(image, str)
  }
  bad = any(isinstance(image, str) for x in checked for image in x.images)
  return len(kinds) == 1 and not bad


@functools.cache
def _check_once(
  file: ArrayFile, channels: int, value_range: ValueRange
) -> Checked:
  array, first = open_array(file), file.channels_first
  images = array_shapes.as_images(array, channels, channels_first=first)
  values.check_type(images.dtype, value_range)
  found = tuple(_check(image, channels, value_range) for image in images)
  return Checked(
    images=found,
    size=images.shape[1:3],
    note=array_shapes.note(array, channels, channels_first=first),
  )


def _check(
  image: np.ndarray, channels: int, value_range: ValueRange
) -> Values | str:
  try:
    return values.examine(image, channels, value_range)
  except ValueError as error:
    return str(error)


@functools.lru_cache(maxsize=2)
def _joined(files: tuple[ArrayFile, ...], channels: int) -> np.ndarray:
  joined = np.concatenate([open_images(x, channels) for x in files])
  open_array.cache_clear()  # else the parts stay in memory as well
  return joined
