"""Input images given on the command line."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import numpy as np

from jaxgen import progress
from jaxgen.data import resize
from jaxgen.data.files import values
from jaxgen.data.files.values import ValueRange
from jaxgen.errors import UserError
from jaxgen.formats import image_pixels
from jaxgen.formats.image_files import SUFFIXES, list_images, reason
from jaxgen.formats.problems import report_bad


def load_images(
  path: str,
  *,
  resolution: int,
  channels: int,
  upsample: bool = False,
  value_range: ValueRange = (),
) -> tuple[list[str], np.ndarray]:
  """Load a user's images at one size, read as those of a folder of training
  images are: every page of a TIFF is an image, and of images of 8 and 16 bits
  the greater depth is kept.

  The center square of each image is resized by `resize.resize`. For class
  labels from subfolders see `splits.class_labels(names)`.

  Args:
    path: a folder, searched recursively, or an image file.
    resolution: side of the result in pixels.
    channels: 1 (gray) or 3 (RGB).
    upsample: allow images smaller than the resolution.
    value_range: stored values of black and white, as `data.value_range`.

  Returns:
    The names relative to the folder, sorted, and (n, resolution, resolution,
    channels): uint8, uint16 or, scaled from `value_range`, float32 in [-1, 1].

  Raises:
    UserError: there are no images, or some are unreadable or too small (all
      are named).
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
  names, images, problems = [], [], []
  for file in progress.each("reading images", paths, unit="files"):
    name = file.name if file == root else file.relative_to(root).as_posix()
    try:
      for page_name, pixels in _pages(file, name):
        if min(pixels.shape[:2]) < resolution and not upsample:
          raise ValueError(
            f"smaller than {resolution} pixels: --upsample allows it"
          )
        values.check_type(pixels.dtype, value_range)
        square = np.ascontiguousarray(resize.center_square(pixels))
        square = resize.to_channels(square, channels)
        square = values.to_model_range(square, value_range)
        names.append(page_name)
        images.append(resize.resize(square, resolution))
    except Exception as error:
      problems.append(f"{name}: {reason(error)}")
  if problems:
    raise report_bad(problems, "Remove or replace them.")
  return names, _stack(images)


def _pages(file: pathlib.Path, name: str) -> Iterator[tuple[str, np.ndarray]]:
  """The name and the values (h, w, c) of each page of a file."""
  with file.open("rb") as opened:
    pages = image_pixels.pages(opened)
    for i, page in enumerate(pages):
      values_ = image_pixels.read(opened, page=page).values
      path = pathlib.PurePosixPath(name)
      numbered = path.with_name(f"{path.stem} page {i}{path.suffix}")
      yield (name if len(pages) == 1 else str(numbered)), values_


def _stack(images: list[np.ndarray]) -> np.ndarray:
  """Images of one type: 8 bits become 16 if some have 16."""
  deep = any(image.dtype == np.uint16 for image in images)
  scaled = [image_pixels.to_bits(x, 16 if deep else 8) for x in images]
  types = sorted({x.dtype.name for x in scaled})
  if len(types) > 1:
    raise UserError(f"expected images of one type, got {', '.join(types)}")
  return np.stack(scaled)
