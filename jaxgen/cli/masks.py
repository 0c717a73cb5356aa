"""Reading of mask files for editing."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxgen.errors import UserError
from jaxgen.formats.problems import listed

if TYPE_CHECKING:
  import numpy as np

  from jaxgen.data.input_tiles import TiledImage


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


def fit_masks(
  mask: np.ndarray, tiles: Sequence[TiledImage], *, path: pathlib.Path
) -> list[np.ndarray]:
  """The mask for each image, at the size that it is edited at: cut and resized
  as the image is.

  Args:
    mask: booleans `(h, w)`.
    tiles: the images.
    path: the file of the mask, for messages.

  Raises:
    UserError: the mask does not have the size of every image.
  """
  fitted = [_fit(mask, x) for x in tiles]
  unfit = [x for x, found in zip(tiles, fitted, strict=True) if found is None]
  if unfit:
    height, width = mask.shape
    names = [f"{x.image.name} {_size(x.image.size)}" for x in unfit]
    raise UserError(
      f"--mask={path}: expected the size of each image in pixels, got"
      f" {width} x {height} for {listed(names)}."
    )
  masks = [x for x in fitted if x is not None]
  if not all(x.any() for x in masks):
    raise UserError(
      f"--mask={path}: expected white pixels where the images are used, got"
      " none."
    )
  return masks


def _fit(mask: np.ndarray, tiles: TiledImage) -> np.ndarray | None:
  """The mask at the size of a scaled image; None if it is not of this image."""
  from jaxgen.data.resize import center_square, resize_labels_to

  size = tiles.grid.height, tiles.grid.width
  if mask.shape == size:
    return mask
  if mask.shape != tiles.image.size:
    return None
  return resize_labels_to(center_square(mask) if tiles.fit else mask, *size)


def fit_original(mask: np.ndarray, tiles: TiledImage) -> np.ndarray:
  """A fitting mask at the size of an original, or of its center square."""
  from jaxgen.data.resize import center_square, resize_labels_to

  if tiles.fit:
    side = tiles.grid.side
    own = mask.shape == (side, side)
    return mask if own else resize_labels_to(center_square(mask), side, side)
  if mask.shape == tiles.image.size:
    return mask
  return resize_labels_to(mask, *tiles.image.size)


def _size(size: tuple[int, int]) -> str:
  return f"{size[1]} x {size[0]}"


def _is_transparent(data: bytes) -> bool:
  import io

  from PIL import Image

  with Image.open(io.BytesIO(data)) as file:
    return file.has_transparency_data
