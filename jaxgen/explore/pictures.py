"""Pictures of a page as data URLs, and those that a page sends."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from jaxgen.data import resize
from jaxgen.errors import UserError
from jaxgen.explore.session import Figure
from jaxgen.images import as_uint8, visible
from jaxgen.report.html import embedded

MAX_PIXELS = 2**24  # of an uploaded image
LEAST = 256  # pixels of the side of a shown image


def figure(
  label: str, image: np.ndarray, channels: Sequence[int] = ()
) -> Figure:
  """An image with a caption, enlarged by an integer."""
  return {"label": label, "image": small(enlarged(image, channels))}


def enlarged(image: np.ndarray, channels: Sequence[int] = ()) -> np.ndarray:
  """What is shown of an image `(h, w, c)` of any stored type, as uint8 enlarged
  by an integer."""
  pixels = visible(as_uint8(np.asarray(image)), channels)
  zoom = max(1, LEAST // max(pixels.shape[:2]))
  return pixels.repeat(zoom, 0).repeat(zoom, 1)


def small(image: np.ndarray, channels: Sequence[int] = ()) -> str:
  """An image as a data URL, not enlarged."""
  pixels = visible(as_uint8(np.asarray(image)), channels)
  return embedded(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def uploaded(url: Any, side: int, channels: int) -> np.ndarray:
  """An image that was dropped on the page as a tile uint8 `(side, side, c)`:
  its center square, resized.

  Raises:
    UserError: it is no image, or too large.
  """
  try:
    with Image.open(_bytes(url)) as image:
      if image.width * image.height > MAX_PIXELS:
        raise UserError(f"image: expected at most {MAX_PIXELS:,} pixels.")
      pixels = np.asarray(image.convert("RGB"))
  except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as e:
    raise UserError("image: expected a PNG, JPEG, WebP or TIFF file.") from e
  tile = resize.resize(resize.center_square(pixels), side)
  if channels > 3:
    raise UserError(f"image: expected {channels} channels.")
  return resize.to_channels(tile, channels)


def mask(url: Any, side: int) -> np.ndarray:
  """What was painted on a figure, as booleans `(side, side)`.

  Raises:
    UserError: nothing was painted.
  """
  try:
    with Image.open(_bytes(url), formats=["PNG"]) as image:
      alpha = image.convert("RGBA").getchannel("A").resize((side, side))
  except (OSError, ValueError, SyntaxError) as e:
    raise UserError("mask: paint on the first image.") from e
  found = np.asarray(alpha) > 127
  if not found.any():
    raise UserError("mask: paint on the first image.")
  return found


def _bytes(url: Any) -> io.BytesIO:
  _, _, content = str(url).partition(",")
  return io.BytesIO(base64.b64decode(content, validate=True))
