"""Checks of pixel values in arrays, and scaling to the range of models."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np

from jaxgen.errors import UserError

_MIN_INSIDE = 0.9  # minimum fraction of values inside `value_range`


@dataclasses.dataclass(frozen=True, kw_only=True)
class Values:
  """A summary of the values of an image.

  Attributes:
    digest: hash of shape, type and values.
    low, high: smallest and largest value.
    inside: fraction of the values inside the value range; 1 for integers.
  """

  digest: str
  low: float
  high: float
  inside: float


def examine(
  image: np.ndarray, channels: int, value_range: tuple[float, float]
) -> Values:
  """Summarize an image (h, w, c).

  Raises:
    ValueError: a type other than uint8, uint16 and floats, a number of channels
      that cannot be converted to `channels`, or non-finite values.
  """
  if image.dtype.kind != "f" and image.dtype.name not in ("uint8", "uint16"):
    raise ValueError(f"expected uint8, uint16 or floats, got {image.dtype}")
  current = image.shape[2]
  if current not in (1, channels) and (current, channels) != (3, 1):
    raise ValueError(
      f"{current} channels cannot be converted to data.channels={channels}"
    )
  bad = image.size - np.count_nonzero(np.isfinite(image))
  if bad or not image.size:
    raise ValueError(f"{bad} of {image.size} values are not finite")
  low, high = value_range
  inside = np.mean((image >= low) & (image <= high))
  digest = hashlib.blake2b(f"{image.shape} {image.dtype}".encode())
  digest.update(np.ascontiguousarray(image).data)
  return Values(
    digest=digest.hexdigest()[:32],
    low=float(image.min()),
    high=float(image.max()),
    inside=float(inside) if image.dtype.kind == "f" else 1.0,
  )


def check_range(
  name: str, summaries: Sequence[Values], value_range: tuple[float, float]
) -> None:
  """Raise a UserError if more than a tenth of the values would be clipped,
  since the range was then probably not set."""
  inside = np.mean([x.inside for x in summaries]) if summaries else 1.0
  if inside < _MIN_INSIDE:
    low = min(x.low for x in summaries)
    high = max(x.high for x in summaries)
    raise UserError(
      f"{name}: data.value_range={value_range}: only {100 * inside:.0f} % of"
      f" the values, {low:g} to {high:g}, are inside; set it to the range of"
      " the data"
    )


def to_model_range(
  image: np.ndarray, value_range: tuple[float, float]
) -> np.ndarray:
  """An image in native byte order, with floats scaled from `value_range` to
  float32 in [-1, 1] and clipped; integers are unchanged, and not copied."""
  if image.dtype.kind != "f":
    return image.astype(image.dtype.newbyteorder("="), copy=False)
  low, high = value_range
  scaled = (image.astype(np.float64) - low) * (2 / (high - low)) - 1
  return np.clip(scaled, -1, 1).astype(np.float32)
