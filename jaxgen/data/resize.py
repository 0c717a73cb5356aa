"""Antialiased resizing and change of channels, for every pixel type."""

from __future__ import annotations

import numpy as np
from PIL import Image

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def resize(image: np.ndarray, side: int) -> np.ndarray:
  """Resizes a square image, the mean of boxes for integer factors and Lanczos
  (a = 3, widened by the factor when shrinking) for others.

  Args:
    image: (n, n, c) uint8, uint16 or float32.
    side: pixels on a side of the result.

  Returns:
    (side, side, c) of the same dtype. Integers are rounded and clipped to the
    dtype's range, floats to the range of the image (Lanczos overshoots).
  """
  if image.shape[0] == side:
    return image
  divides = image.shape[0] % side == 0
  kind = Image.Resampling.BOX if divides else Image.Resampling.LANCZOS
  size = (side, side)
  if image.dtype == np.uint8 and image.shape[2] in (1, 3):
    pixels = image[..., 0] if image.shape[2] == 1 else image
    out = np.asarray(Image.fromarray(pixels).resize(size, kind))
    return out.reshape(side, side, -1)
  planes = np.moveaxis(image.astype(np.float32), 2, 0)
  resized = [Image.fromarray(plane).resize(size, kind) for plane in planes]
  out = np.stack([np.asarray(plane) for plane in resized], axis=-1)
  if image.dtype.kind == "f":
    return np.clip(out, image.min(), image.max()).astype(image.dtype)
  return np.clip(np.rint(out), 0, np.iinfo(image.dtype).max).astype(image.dtype)


def resize_labels(labels: np.ndarray, side: int) -> np.ndarray:
  """Nearest neighbour by pixel centres: (n, n) to (side, side)."""
  centres = (np.arange(side) + 0.5) / side
  rows, columns = ((centres * n).astype(int) for n in labels.shape)
  return labels[np.ix_(rows, columns)]


def centre_square(image: np.ndarray) -> np.ndarray:
  """The largest square in the middle of (h, w, ...), a view."""
  side = min(image.shape[:2])
  top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
  return image[top : top + side, left : left + side]


def to_channels(image: np.ndarray, channels: int) -> np.ndarray:
  """Grey is repeated, RGB is weighted by luma (BT.601): (h, w, c) to channels.

  Raises:
    ValueError: for any other change of the number of channels.
  """
  have = image.shape[2]
  if have == channels:
    return image
  if have == 1:
    return np.repeat(image, channels, axis=2)
  if have == 3 and channels == 1:
    grey = (image.astype(np.float32) @ _LUMA)[..., None]
    if image.dtype.kind != "f":
      grey = np.minimum(np.rint(grey), np.iinfo(image.dtype).max)
    return grey.astype(image.dtype)
  raise ValueError(f"{have} channels do not turn into {channels}")
