"""Input images given on the command line."""

from __future__ import annotations

import pathlib

import numpy as np

from jaxgen.data import resize
from jaxgen.errors import UserError
from jaxgen.formats.image_files import (
  SUFFIXES,
  decode,
  list_images,
  reason,
)
from jaxgen.formats.problems import report_bad


def load_images(
  path: str, *, resolution: int, channels: int, upsample: bool = False
) -> tuple[list[str], np.ndarray]:
  """Load a user's images at one size.

  The center square of each image is resized by `resize.resize`. For class
  labels from subfolders see `splits.class_labels(names)`.

  Args:
    path: a folder, searched recursively, or an image file.
    resolution: side of the result in pixels.
    channels: 1 (gray) or 3 (RGB).
    upsample: allow images smaller than the resolution.

  Returns:
    The names relative to the folder, sorted, and (n, resolution, resolution,
    channels) uint8.

  Raises:
    UserError: there are no images, or some are unreadable or too small (all
      are named).
  """
  root = pathlib.Path(path)
  paths = [root] if root.is_file() else list_images(root) if path else []
  if not paths:
    raise UserError(
      f"no images in {path!r}: expected a folder of images or an image file"
      f" ({', '.join(SUFFIXES)})"
    )
  names, images, problems = [], [], []
  for file in paths:
    name = file.name if file == root else file.relative_to(root).as_posix()
    try:
      square = resize.center_square(decode(file.read_bytes(), bits=8))
      if len(square) < resolution and not upsample:
        raise ValueError(
          f"smaller than {resolution} pixels: --upsample allows it"
        )
      square = resize.to_channels(np.ascontiguousarray(square), channels)
    except Exception as error:
      problems.append(f"{name}: {reason(error)}")
      continue
    names.append(name)
    images.append(resize.resize(square, resolution))
  if problems:
    raise report_bad(problems, "Remove or replace them.")
  return names, np.stack(images)
