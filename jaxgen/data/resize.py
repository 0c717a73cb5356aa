"""Antialiased resizing and channel conversion for every pixel type."""

from __future__ import annotations

import numpy as np
from PIL import Image

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def resize(image: np.ndarray, side: int) -> np.ndarray:
  """Resize a square image to `side` pixels; see `resize_to`."""
  return resize_to(image, side, side)


def resize_to(image: np.ndarray, height: int, width: int) -> np.ndarray:
  """Resize an image: box averages for integer factors, else Lanczos (a = 3,
  widened by the factor when shrinking).

  Args:
    image: (h, w, c) uint8, uint16 or float32.
    height: height of the result in pixels.
    width: width of the result in pixels.

  Returns:
    (height, width, c) of the same dtype. Integers are rounded and clipped to
    the range of the dtype, floats to that of the image (Lanczos overshoots).
  """
  if image.shape[:2] == (height, width):
    return image
  divides = image.shape[0] % height == 0 and image.shape[1] % width == 0
  kernel = Image.Resampling.BOX if divides else Image.Resampling.LANCZOS
  size = (width, height)
  if image.dtype == np.uint8 and image.shape[2] in (1, 3):
    pixels = image[..., 0] if image.shape[2] == 1 else image
    out = np.asarray(Image.fromarray(pixels).resize(size, kernel))
    return out.reshape(height, width, -1)
  planes = np.moveaxis(image.astype(np.float32), 2, 0)
  resized = [Image.fromarray(plane).resize(size, kernel) for plane in planes]
  out = np.stack([np.asarray(plane) for plane in resized], axis=-1)
  if image.dtype.kind == "f":
    return np.clip(out, image.min(), image.max()).astype(image.dtype)
  return np.clip(np.rint(out), 0, np.iinfo(image.dtype).max).astype(image.dtype)


def resize_labels(labels: np.ndarray, side: int) -> np.ndarray:
  """Resize labels (n, n) to (side, side); see `resize_labels_to`."""
  return resize_labels_to(labels, side, side)


def resize_labels_to(labels: np.ndarray, height: int, width: int) -> np.ndarray:
  """Resize labels (h, w) to (height, width) by nearest neighbor."""
  rows, columns = (
    ((np.arange(new) + 0.5) / new * old).astype(int)
    for new, old in zip((height, width), labels.shape, strict=True)
  )
  return labels[np.ix_(rows, columns)]


def center_square(image: np.ndarray) -> np.ndarray:
  """The largest center square of (h, w, ...), as a view."""
  side = min(image.shape[:2])
  top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
  return image[top : top + side, left : left + side]


def converts(current: int, channels: int) -> bool:
  """Whether `to_channels` can convert `current` channels."""
  return current in (1, channels) or (current, channels) == (3, 1)


def to_channels(image: np.ndarray, channels: int) -> np.ndarray:
  """Convert (..., c) to a number of channels: gray is repeated, RGB is
  converted to luma (BT.601).

  Raises:
    ValueError: the conversion is not supported.
  """
  current = image.shape[-1]
  if current == channels:
    return image
  if current == 1:
    return np.repeat(image, channels, axis=-1)
  if current == 3 and channels == 1:
    gray = (image.astype(np.float32) @ _LUMA)[..., None]
    if image.dtype.kind != "f":
      gray = np.minimum(np.rint(gray), np.iinfo(image.dtype).max)
    return gray.astype(image.dtype)
  raise ValueError(f"cannot convert {current} channels to {channels}")
