"""Pixel values of arrays: which are allowed, and the range a model sees."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np

from jaxgen.errors import UserError

_MIN_INSIDE = 0.9  # the part of all values that `value_range` has to hold


@dataclasses.dataclass(frozen=True, kw_only=True)
class Values:
  """What one look at an image tells.

  Attributes:
    digest: of shape, type and values.
    low, high: the extremes.
    inside: the part of the values within the value range (integers: 1).
  """

  digest: str
  low: float
  high: float
  inside: float


def examine(
  image: np.ndarray, channels: int, value_range: tuple[float, float]
) -> Values:
  """Looks at an image (h, w, c) once.

  Raises:
    ValueError: a type other than uint8, uint16 and floats, a number of channels
      that does not turn into `channels`, or values that are not finite.
  """
  if image.dtype.kind != "f" and image.dtype.name not in ("uint8", "uint16"):
    raise ValueError(f"{image.dtype} values: use uint8, uint16 or floats")
  have = image.shape[2]
  if have not in (1, channels) and (have, channels) != (3, 1):
    raise ValueError(
      f"{have} channels, which do not turn into data.channels={channels}"
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
  name: str, found: Sequence[Values], value_range: tuple[float, float]
) -> None:
  """Raises a UserError where more than a tenth of the values would be clipped:
  a range that was forgotten rather than one that was meant."""
  inside = np.mean([values.inside for values in found]) if found else 1.0
  if inside < _MIN_INSIDE:
    low = min(values.low for values in found)
    high = max(values.high for values in found)
    raise UserError(
      f"{name}: only {100 * inside:.0f} % of the values, {low:g} to {high:g},"
      f" are in data.value_range={value_range}: set it to the range to be kept"
    )


def to_model_range(
  image: np.ndarray, value_range: tuple[float, float]
) -> np.ndarray:
  """Floats from `value_range` to float32 in [-1, 1], clipped; integers as they
  are. Returns a copy in the machine's byte order."""
  if image.dtype.kind != "f":
    return image.astype(image.dtype.newbyteorder("="))
  low, high = value_range
  scaled = (image.astype(np.float64) - low) * (2 / (high - low)) - 1
  return np.clip(scaled, -1, 1).astype(np.float32)
