"""Checks of stored values, and scaling to the range of models."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np

from jaxgen.data.resize import converts
from jaxgen.errors import UserError

ValueRange = tuple[float, ...]  # (black, white); empty: that of the type

_MIN_INSIDE = 0.9  # minimum fraction of an image's values inside the range
NUMBERS = ": save them as uint8, uint16 or float32"  # the remedy
_WHOLE_RANGE = "uint8", "uint16"  # types with a range of their own


@dataclasses.dataclass(frozen=True, kw_only=True)
class Values:
  """A summary of the values of an image.

  Attributes:
    digest: hash of shape, type and values.
    low, high: smallest and largest value.
    inside: fraction of the values inside the value range.
    dtype: name of the type, in native byte order.
    channels: number of channels.
  """

  digest: str
  low: float
  high: float
  inside: float
  dtype: str
  channels: int

  @property
  def kind(self) -> str:
    """The type, alike for all floats."""
    return "float" if self.dtype.startswith("float") else self.dtype


def examine(
  image: np.ndarray, channels: int, value_range: ValueRange
) -> Values:
  """Summarize an image (h, w, c).

  Raises:
    ValueError: no numbers, or integers of a type that needs a `value_range`; a
      number of channels that cannot be converted to `channels`; or non-finite
      values.
  """
  check_type(image.dtype, value_range)
  current = image.shape[2]
  if not converts(current, channels):
    raise ValueError(
      f"{current} channels cannot be converted to data.channels={channels}"
    )
  bad = image.size - np.count_nonzero(np.isfinite(image))
  if bad or not image.size:
    raise ValueError(f"values that are not finite ({bad} of {image.size})")
  digest = hashlib.blake2b(f"{image.shape} {image.dtype}".encode())
  digest.update(np.ascontiguousarray(image).data)
  return Values(
    digest=digest.hexdigest()[:32],
    low=float(image.min()),
    high=float(image.max()),
    inside=_inside(image, value_range),
    dtype=image.dtype.name,
    channels=current,
  )


def check_type(dtype: np.dtype, value_range: ValueRange) -> None:
  """Raise a ValueError for values that cannot be scaled to [-1, 1]."""
  if dtype.kind not in "fiub":
    raise ValueError(f"expected numbers, got the type {dtype}{NUMBERS}")
  if dtype.kind == "f" or dtype.name in _WHOLE_RANGE or value_range:
    return
  right = "(0, 1)" if dtype.kind == "b" else "(black, white)"
  raise ValueError(
    f"values of type {dtype} have no black and white: set"
    f" data.value_range={right}"
  )


def num_bits(dtype: str) -> int:
  """Bits of an integer of a type; 0: floating point."""
  return 0 if dtype.startswith("float") else 8 * np.dtype(dtype).itemsize


def effective_range(dtype: str, value_range: ValueRange) -> ValueRange:
  """The values of black and white: `value_range`, or those of the type."""
  if value_range:
    return value_range
  whole = {"uint8": (0.0, 255.0), "uint16": (0.0, 65535.0)}
  return whole.get(dtype, (0.0, 1.0))


def outlier(summary: Values, value_range: ValueRange) -> str:
  """Why an image cannot be used: more than a tenth of its values would be
  clipped; empty: it can."""
  if summary.inside >= _MIN_INSIDE:
    return ""
  low, high = effective_range(summary.dtype, value_range)
  return (
    f"outside data.value_range, {low:g} to {high:g}"
    f" ({100 * summary.inside:.0f} % of the values, {summary.low:g} to"
    f" {summary.high:g}, are inside)"
  )


def check_range(
  name: str, summaries: Sequence[Values], value_range: ValueRange
) -> None:
  """Raise a UserError if most images are outside the range, which was then
  probably not set; few are a matter of those images."""
  outside = [x for x in summaries if outlier(x, value_range)]
  if 2 * len(outside) > len(summaries):
    low, high = (
      min(x.low for x in summaries),
      max(x.high for x in summaries),
    )
    first = effective_range(outside[0].dtype, value_range)
    raise UserError(
      f"{name}: data.value_range=({first[0]:g}, {first[1]:g}): {len(outside):,}"
      f" of {len(summaries):,} images are outside; the values are {low:g} to"
      f" {high:g}; set it to the range of the data"
    )


def doubts(
  name: str, dtype: str, seen: tuple[float, float], value_range: ValueRange
) -> list[str]:
  """A sentence if values use little of the range that is taken to be theirs, or
  exceed the one that is set."""
  low, high = seen
  black, white = effective_range(dtype, value_range)
  if low < black or high > white:
    return [
      f"{name}: the values are {low:g} to {high:g}; those outside"
      f" ({black:g}, {white:g}), data.value_range, are clipped"
    ]
  if value_range or high >= white / 8:
    return []
  return [
    f"{name}: the values of type {dtype} reach no more than {high:g}, and"
    f" {white:g} is read as white: data.value_range=(black, white) sets what"
    " is right"
  ]


def to_model_range(image: np.ndarray, value_range: ValueRange) -> np.ndarray:
  """An image in native byte order, scaled from `value_range` to float32 in
  [-1, 1] and clipped; uint8 and uint16 without a range are unchanged, and not
  copied."""
  if image.dtype.name in _WHOLE_RANGE and not value_range:
    return image.astype(image.dtype.newbyteorder("="), copy=False)
  low, high = effective_range(image.dtype.name, value_range)
  scaled = (image.astype(np.float64) - low) * (2 / (high - low)) - 1
  return np.clip(scaled, -1, 1).astype(np.float32)


def _inside(image: np.ndarray, value_range: ValueRange) -> float:
  if image.dtype.kind != "f" and not value_range:
    return 1.0
  low, high = effective_range(image.dtype.name, value_range)
  return float(np.mean((image >= low) & (image <= high)))
