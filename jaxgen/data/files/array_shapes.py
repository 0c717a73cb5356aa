"""Images in arrays of two to four axes."""

from __future__ import annotations

import numpy as np

from jaxgen.data.resize import converts

_FEW = 4  # axes of this length or less are channels


def as_images(
  array: np.ndarray, channels: int, *, channels_first: bool = False
) -> np.ndarray:
  """A view (n, h, w, c) of an array.

  Args:
    array: (h, w); (h, w, c), (c, h, w) or (n, h, w); (n, h, w, c) or
      (n, c, h, w). An axis is one of channels if its length is `channels` or,
      of three axes, at most 4.
    channels: `data.channels`.
    channels_first: prefer channels first where both are possible.

  Raises:
    ValueError: other shapes, or one that can be read in two ways.
  """
  if array.ndim == 4:
    return _four_axes(array, channels, channels_first)
  if array.ndim == 3:
    return _three_axes(array, channels, channels_first)
  if array.ndim == 2 and array.size:
    return array[None, ..., None]
  raise ValueError(
    "expected a shape (n, h, w), (n, h, w, c), (n, c, h, w), (h, w) or"
    f" (h, w, c), got {array.shape}"
  )


def _four_axes(
  array: np.ndarray, channels: int, channels_first: bool
) -> np.ndarray:
  first, last = (converts(array.shape[i], channels) for i in (1, 3))
  if not first and not last:
    raise ValueError(
      f"neither the {array.shape[3]} channels of its last axis nor the"
      f" {array.shape[1]} of its second can be converted to"
      f" data.channels={channels} (shape {array.shape})"
    )
  use_first = first and (channels_first or not last)
  return np.moveaxis(array, 1, 3) if use_first else array


def _three_axes(
  array: np.ndarray, channels: int, channels_first: bool
) -> np.ndarray:
  first, last = (
    array.shape[i] <= _FEW or array.shape[i] == channels for i in (0, 2)
  )
  if channels_first and first:
    return np.moveaxis(array, 0, 2)[None]
  if last:
    return array[None]
  if not channels_first and array.shape[0] == channels > 1:
    raise ValueError(
      f"shape {array.shape} can be {channels} gray images or one with channels"
      " first: save it as (h, w, c) or (n, h, w, 1)"
    )
  return array[..., None]
