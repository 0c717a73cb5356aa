"""Reading of mask files for editing."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxgen.errors import UserError

if TYPE_CHECKING:
  import numpy as np


def read_mask(path: pathlib.Path) -> np.ndarray:
  """The mask of pixels brighter than medium gray, as booleans, upright; of a
  mask of 0 and 1 alone, the pixels that are 1."""
  from jaxgen.data.resize import to_channels
  from jaxgen.formats.image_files import decode, reason

  try:
    data = path.read_bytes()
    transparent = _is_transparent(data)
    gray = to_channels(decode(data, bits=8), 1)[..., 0]
  except Exception as e:  # any of PIL's
    raise UserError(
      f"--mask={path}: expected an image file ({reason(e)})."
    ) from e
  if transparent:
    raise UserError(
      f"--mask={path}: expected black and white, got an image with"
      " transparency."
    )
  mask = gray > (127 if gray.max() > 1 else 0)
  if not mask.any():
    raise UserError(f"--mask={path}: expected white pixels, got none.")
  return mask


def fit_mask(
  mask: np.ndarray,
  side: int,
  *,
  files: Sequence[pathlib.Path],
  path: pathlib.Path,
) -> np.ndarray:
  """The mask at the size of the images: cut and resized as they were.

  Args:
    mask: booleans `(h, w)`.
    side: side of the images in pixels.
    files: the files of the images.
    path: the file of the mask, for messages.

  Raises:
    UserError: the mask has neither this size nor that of all files.
  """
  from jaxgen.data.resize import center_square, resize_labels
  from jaxgen.formats.image_files import ImageInfo, check_files

  if mask.shape == (side, side):
    return mask
  infos = check_files(files, threads=4)
  sizes = {(x.height, x.width) for x in infos if isinstance(x, ImageInfo)}
  if sizes != {mask.shape}:
    height, width = mask.shape
    expected = [f"{w} x {h}" for h, w in [(side, side), *sorted(sizes)]]
    raise UserError(
      f"--mask={path}: expected {' or '.join(expected[:5])} pixels as for the"
      f" images, got {width} x {height}."
    )
  return resize_labels(center_square(mask), side)


def _is_transparent(data: bytes) -> bool:
  import io

  from PIL import Image

  with Image.open(io.BytesIO(data)) as file:
    return file.has_transparency_data
