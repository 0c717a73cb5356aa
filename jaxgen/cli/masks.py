"""Reading of mask files for editing."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

from jaxgen.errors import UserError

if TYPE_CHECKING:
  import numpy as np


def read_mask(path: pathlib.Path) -> np.ndarray:
  """The mask of pixels brighter than medium gray, as booleans."""
  import numpy as np
  from PIL import Image

  try:
    with Image.open(path) as file:
      mode, transparent = file.mode, file.has_transparency_data
      mask = np.asarray(file.convert("L")) > 127
  except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as e:
    raise UserError(f"--mask={path}: expected an image file ({e}).") from e
  if transparent or mode not in ("1", "L", "P", "RGB"):
    raise UserError(
      f"--mask={path}: expected 8-bit black and white, got mode {mode}"
      f"{' with transparency' if transparent else ''}."
    )
  if not mask.any():
    raise UserError(f"--mask={path}: expected white pixels, got none.")
  return mask


def check_size(
  path: pathlib.Path, mask: np.ndarray, images: np.ndarray
) -> None:
  """Raise a UserError unless a mask has the size of the images."""
  if mask.shape != images.shape[1:3]:
    h, w = images.shape[1:3]
    raise UserError(
      f"--mask={path}: expected {w} x {h} pixels as for the images, got "
      f"{mask.shape[1]} x {mask.shape[0]}."
    )
