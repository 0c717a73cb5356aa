"""Images in arrays of two to four axes."""

from __future__ import annotations

from typing import Literal

import numpy as np

from jaxgen.data.resize import converts

_FEW = 4  # axes of this length or less are channels

Layout = Literal[
  "first", "last", "gray"
]  # where channels are, if there are any


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
  layout = _layouts(array, channels, channels_first)[0]
  if array.ndim == 4:
    return np.moveaxis(array, 1, 3) if layout == "first" else array
  if layout == "gray":
    return (array if array.ndim == 3 else array[None])[..., None]
  return (np.moveaxis(array, 0, 2) if layout == "first" else array)[None]


def note(
  array: np.ndarray, channels: int, *, channels_first: bool = False
) -> str:
  """How `as_images` reads an array, where files of its kind usually hold others
  or it may be another; empty: there is no doubt."""
  layout, *others = _layouts(array, channels, channels_first)
  usual = ("first",) if channels_first else ("last", "gray")
  if array.ndim == 2 or (layout in usual and not others):
    return ""
  gray = f"as {len(array)} gray images"
  words = gray if layout == "gray" else f"with channels {layout}"
  said = f"shape {array.shape} is read {words}"
  if not others:
    return said
  axes = (1, 3) if array.ndim == 4 else (0, 2)
  source, to = axes if others[0] == "first" else axes[::-1]
  return (
    f"{said}; if its channels are {others[0]}, save it as"
    f" numpy.moveaxis(array, {source}, {to})"
  )


def _layouts(
  array: np.ndarray, channels: int, channels_first: bool
) -> list[Layout]:
  """How an array can be read, the preferred way first."""
  if array.ndim == 4:
    return _four_axes(array, channels, channels_first)
  if array.ndim == 3:
    return _three_axes(array, channels, channels_first)
  if array.ndim == 2 and array.size:
    return ["gray"]
  raise ValueError(
    "expected a shape (n, h, w), (n, h, w, c), (n, c, h, w), (h, w) or"
    f" (h, w, c), got {array.shape}"
  )


def _four_axes(
  array: np.ndarray, channels: int, channels_first: bool
) -> list[Layout]:
  axes: dict[Layout, int] = {"last": 3, "first": 1}
  possible: list[Layout] = [
    k for k, i in axes.items() if converts(array.shape[i], channels)
  ]
  if not possible:
    raise ValueError(
      f"neither the {array.shape[3]} channels of its last axis nor the"
      f" {array.shape[1]} of its second can be converted to"
      f" data.channels={channels} (shape {array.shape})"
    )
  return possible[::-1] if channels_first else possible


def _three_axes(
  array: np.ndarray, channels: int, channels_first: bool
) -> list[Layout]:
  axes: dict[Layout, int] = {"last": array.shape[2], "first": array.shape[0]}
  few: list[Layout] = [k for k, n in axes.items() if n <= _FEW or n == channels]
  fit: list[Layout] = [
    k for k in few if axes[k] > 1 and converts(axes[k], channels)
  ]
  usual: Layout = "first" if channels_first else "last"
  if usual in few:
    others: list[Layout] = [k for k in fit if k != usual]
    return [usual, *others]
  if channels_first:
    return ["last"] if "last" in few else ["gray"]
  if array.shape[0] == channels > 1:
    raise ValueError(
      f"shape {array.shape} can be {channels} gray images or one with channels"
      " first: save it as (h, w, c) or (n, h, w, 1)"
    )
  return ["gray", *fit]
