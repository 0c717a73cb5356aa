"""Input images given on the command line, read as training images are."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from jaxgen import progress
from jaxgen.config.data import DataConfig
from jaxgen.data import report, resize
from jaxgen.data.files import values
from jaxgen.data.files.values import ValueRange
from jaxgen.errors import UserError
from jaxgen.formats import image_pixels
from jaxgen.formats.image_files import SUFFIXES, list_images, reason
from jaxgen.formats.problems import report_bad


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reading:
  """How the training images of a run were read.

  Attributes:
    channels: 1 (gray) or 3 (RGB).
    bits: of their integers; 0: of floats; None: unknown.
    value_range: stored values of black and white, as `data.value_range`.
  """

  channels: int
  bits: int | None = None
  value_range: ValueRange = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputImage:
  """An image of the user; every page of a TIFF is one.

  Attributes:
    name: path relative to the folder.
    file: the file.
    page: the page of a TIFF.
    size: (height, width) in pixels.
    dtype: name of the stored type.
    reading: how it is read.
  """

  name: str
  file: pathlib.Path
  page: int
  size: tuple[int, int]
  dtype: str
  reading: Reading

  def read(self) -> np.ndarray:
    """The pixels (h, w, channels): uint8, uint16 or, scaled from the value
    range, float32 in [-1, 1]."""
    try:
      with self.file.open("rb") as opened:
        pixels = image_pixels.read(opened, page=self.page).values
    except Exception as error:
      raise UserError(
        f"{self.name} can no longer be read ({reason(error)}): was it changed?"
      ) from error
    return _as_in_training(pixels, self.reading)

  def read_alpha(self) -> np.ndarray | None:
    """The opacity uint8 `(h, w, 1)`; None: there is none."""
    with self.file.open("rb") as opened:
      return image_pixels.read_alpha(opened, page=self.page)


def recorded_reading(workdir: pathlib.Path, options: DataConfig) -> Reading:
  """How the images of a run were read, by its config and its data report; the
  bits are unknown if it has none, as older runs."""
  try:
    recorded = json.loads((workdir / report.REPORT).read_text())["bits"]
    bits = recorded if recorded in (0, 8, 16, 32) else None
  except (OSError, ValueError, KeyError, TypeError):
    bits = None
  return Reading(
    channels=options.channels, bits=bits, value_range=options.value_range
  )


def list_inputs(path: str, reading: Reading) -> list[InputImage]:
  """A user's images, checked: each is decoded once.

  If the bits of the training images are unknown, they are the most of these
  images. For class labels from subfolders see `splits.class_labels(names)`.

  Args:
    path: a folder, searched recursively, or an image file.
    reading: how they are read.

  Raises:
    UserError: there are no images, or some cannot be read as training images
      are (the first are named).
  """
  root = pathlib.Path(path)
  paths = (
    [root] if root.is_file() else list_images(root) if root.is_dir() else []
  )
  if not paths:
    raise UserError(
      f"no images in {path!r}: expected a folder of images or an image file"
      f" ({', '.join(SUFFIXES)})"
    )
  images, problems = [], []
  for file in progress.each("reading images", paths, unit="files"):
    name = file.name if file == root else file.relative_to(root).as_posix()
    try:
      images += list(_pages(file, name, reading))
    except Exception as error:
      problems.append(f"{name}: {reason(error)}")
  if problems:
    raise report_bad(problems, "Remove or replace them.")
  return _alike(images)


def _pages(
  file: pathlib.Path, name: str, reading: Reading
) -> Iterator[InputImage]:
  """The images in a file, checked."""
  with file.open("rb") as opened:
    pages = image_pixels.pages(opened)
    for i, page in enumerate(pages):
      pixels = image_pixels.read(opened, page=page).values
      _check(pixels, reading)
      path = pathlib.PurePosixPath(name)
      numbered = path.with_name(f"{path.stem} page {i}{path.suffix}")
      yield InputImage(
        name=name if len(pages) == 1 else str(numbered),
        file=file,
        page=page,
        size=(pixels.shape[0], pixels.shape[1]),
        dtype=pixels.dtype.name,
        reading=reading,
      )


def _check(pixels: np.ndarray, reading: Reading) -> None:
  """Raise a ValueError for an image that training would not have used."""
  limits, bits = reading.value_range, values.num_bits(pixels.dtype.name)
  summary = values.examine(pixels, reading.channels, limits)
  if limits and reading.bits is not None and bits != reading.bits:
    raise ValueError(
      f"expected {_bits(reading.bits)} as in training, from {limits[0]:g}"
      f" (black) to {limits[1]:g} (white), got {_bits(bits)}"
    )
  if outside := values.outlier(summary, limits):
    raise ValueError(outside)


def _bits(bits: int) -> str:
  return f"values of {bits} bits" if bits else "floating point values"


def _alike(images: Sequence[InputImage]) -> list[InputImage]:
  """Images that are read as one type: 8 bits become 16 if some have 16, unless
  the bits are known."""
  reading = images[0].reading
  if reading.bits is None and not reading.value_range:
    deep = any(x.dtype == "uint16" for x in images)
    reading = dataclasses.replace(reading, bits=16 if deep else 8)
  alike = [dataclasses.replace(x, reading=reading) for x in images]
  one = np.zeros((1, 1, 1))
  read = [_as_in_training(one.astype(x.dtype), reading).dtype for x in alike]
  types = sorted({dtype.name for dtype in read})
  if len(types) > 1:
    raise UserError(f"expected images of one type, got {', '.join(types)}")
  return alike


def _as_in_training(pixels: np.ndarray, reading: Reading) -> np.ndarray:
  pixels = resize.to_channels(pixels, reading.channels)
  if not reading.value_range:
    pixels = image_pixels.to_bits(pixels, reading.bits or 0)
  return values.to_model_range(pixels, reading.value_range)
