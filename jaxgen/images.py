"""Images as arrays: pixel types, [-1, 1], linear resizing, grids."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgen.typing import Array

_HALF_RANGE = {"uint8": 127.5, "uint16": 32767.5}


def normalize(images: Array | np.ndarray) -> Array:
  """uint8, uint16 or float32 images to float32 in [-1, 1]."""
  half = _HALF_RANGE.get(str(images.dtype))
  x = jnp.asarray(images, jnp.float32)
  return x if half is None else x / half - 1.0


def soften(images: Array, side: int, share: Array) -> Array:
  """Images `(b, h, h, c)`, normalised, with a share from 0 to 1 of the detail
  that `side` x `side` pixels do not hold (Karras et al. 2017, section 2: real
  images are faded like the network)."""
  x = normalize(images)
  coarse = resize(resize(x, side), x.shape[1])
  return (1 - share) * coarse + share * x


def to_uint8(images: Array | np.ndarray) -> Array:
  """Float images in [-1, 1], clipped and rounded, to uint8 in [0, 255]."""
  return jnp.round((jnp.clip(images, -1.0, 1.0) + 1.0) * 127.5).astype(np.uint8)


def as_uint8(images: np.ndarray) -> np.ndarray:
  """Images of any stored type as uint8, for pictures."""
  if images.dtype == np.uint8:
    return images
  return np.asarray(to_uint8(normalize(images)))


def grid(rows: Any, gap: int = 2, least: int = 96) -> np.ndarray:
  """Images uint8 `(rows, columns, h, w, c)` as one picture `(H, W, 3)`.

  Small images are shown larger, by a whole factor, up to about `least` pixels.
  """
  rows = np.asarray(rows)
  zoom = max(1, least // rows.shape[2])
  rows = rows.repeat(zoom, 2).repeat(zoom, 3)
  if rows.shape[-1] not in (1, 3):
    rows = rows[..., :1]
  rows = np.pad(
    rows, ((0, 0), (0, 0), (0, gap), (0, gap), (0, 0)), constant_values=255
  )
  r, n, h, w, c = rows.shape
  picture = rows.swapaxes(1, 2).reshape(r * h, n * w, c)[:-gap, :-gap]
  return np.broadcast_to(picture, (*picture.shape[:2], 3))


def enlarging(old: int, new: int, circular: bool = False) -> np.ndarray:
  """Linear interpolation of `old` samples at `new` places, `(new, old)`; with
  antialiasing where `new` is smaller. As `jax.image.resize` has it, or on a
  circle."""
  places = (np.arange(new) + 0.5) * old / new - 0.5
  apart = np.abs(places[:, None] - np.arange(old))
  apart = np.minimum(apart, old - apart) if circular else apart
  weights = np.maximum(1 - apart / max(old / new, 1.0), 0)
  return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def shrinking(old: int, new: int) -> np.ndarray:
  """Means over equal parts of `old` samples, `(new, old)`, exact for any
  numbers."""
  edges = np.arange(new + 1) * old / new
  low, high = edges[:-1, None], edges[1:, None]
  at = np.arange(old)
  shared = np.minimum(high, at + 1) - np.maximum(low, at)
  return (np.maximum(shared, 0) * new / old).astype(np.float32)


def resize(x: Array, side: int, circular: bool = False) -> Array:
  """Square images `(b, h, h, c)` to `side` pixels: means where they shrink,
  linear interpolation where they grow."""
  old = x.shape[1]
  if old == side:
    return x
  small = side < old
  m = shrinking(old, side) if small else enlarging(old, side, circular)
  return jnp.einsum("ai,bj,nijc->nabc", m, m, x).astype(x.dtype)


def image_grid(images: np.ndarray, columns: int | None = None) -> np.ndarray:
  """Images uint8 `(n, h, w, c)` as one picture `(H, W, 3)`, by default about
  square; the last row is filled up with white."""
  columns = columns or max(1, round(len(images) ** 0.5))
  missing = -len(images) % columns
  white = np.full((missing, *images.shape[1:]), 255, np.uint8)
  full = np.concatenate([images, white])
  return grid(full.reshape(-1, columns, *images.shape[1:]))
