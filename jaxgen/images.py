"""Images as arrays: pixel types, [-1, 1], linear resizing, grids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.typing import Array

_HALF_RANGE = {"uint8": 127.5, "uint16": 32767.5}


def normalize(images: Array | np.ndarray) -> Array:
  """uint8, uint16 or float32 images to float32 in [-1, 1]."""
  half = _HALF_RANGE.get(str(images.dtype))
  x = jnp.asarray(images, jnp.float32)
  return x if half is None else x / half - 1.0


def blend_detail(images: Array, side: int, share: Array) -> Array:
  """Normalized images `(b, h, h, c)` with a fraction `share` in [0, 1] of the
  detail beyond `side` x `side` pixels (Karras et al. 2017, section 2: real
  images are faded in like the network)."""
  x = normalize(images)
  coarse = resize(resize(x, side), x.shape[1])
  return (1 - share) * coarse + share * x


@jax.jit
def to_uint8(images: Array | np.ndarray) -> Array:
  """Float images in [-1, 1], clipped and rounded, to uint8 in [0, 255]."""
  return jnp.round((jnp.clip(images, -1.0, 1.0) + 1.0) * 127.5).astype(np.uint8)


def as_uint8(images: np.ndarray) -> np.ndarray:
  """Images of any stored type as uint8, for pictures; uses no device."""
  if images.dtype == np.uint8:
    return images
  half = np.float32(_HALF_RANGE.get(str(images.dtype), 1.0))
  x = images.astype(np.float32) / half
  x = x - 1 if images.dtype.kind == "u" else x
  return np.round((np.clip(x, -1, 1) + 1) * np.float32(127.5)).astype(np.uint8)


def visible(images: Any, channels: Sequence[int] = ()) -> Any:
  """The channels of images `(..., c)` that a picture shows: `channels`, one of
  them as gray or three; by default the first three, of one or two the first."""
  chosen = channels or range(3 if images.shape[-1] > 2 else 1)
  return images[..., list(chosen)]


def grid(rows: Any, gap: int = 2, least: int = 96) -> np.ndarray:
  """Images uint8 `(rows, columns, h, w, c)` as one picture `(H, W, 3)`.

  Small images are enlarged by an integer factor, to about `least` pixels; of
  the channels those of `visible` are shown.
  """
  rows = visible(np.asarray(rows))
  zoom = max(1, least // rows.shape[2])
  rows = rows.repeat(zoom, 2).repeat(zoom, 3)
  rows = np.pad(
    rows, ((0, 0), (0, 0), (0, gap), (0, gap), (0, 0)), constant_values=255
  )
  r, n, h, w, c = rows.shape
  picture = rows.swapaxes(1, 2).reshape(r * h, n * w, c)[:-gap, :-gap]
  return np.broadcast_to(picture, (*picture.shape[:2], 3))


def upsample_matrix(old: int, new: int, circular: bool = False) -> np.ndarray:
  """The matrix `(new, old)` of linear interpolation from `old` to `new`
  samples, antialiased if `new` is smaller: as `jax.image.resize`, or with
  wrap-around."""
  positions = (np.arange(new) + 0.5) * old / new - 0.5
  distance = np.abs(positions[:, None] - np.arange(old))
  distance = np.minimum(distance, old - distance) if circular else distance
  weights = np.maximum(1 - distance / max(old / new, 1.0), 0)
  return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def downsample_matrix(old: int, new: int) -> np.ndarray:
  """The matrix `(new, old)` of area averages of `old` samples; `new` need not
  divide `old`."""
  edges = np.arange(new + 1) * old / new
  low, high = edges[:-1, None], edges[1:, None]
  pixel = np.arange(old)
  overlap = np.minimum(high, pixel + 1) - np.maximum(low, pixel)
  return (np.maximum(overlap, 0) * new / old).astype(np.float32)


def resize(x: Array, side: int, circular: bool = False) -> Array:
  """Square images `(b, h, h, c)` resized to `side` pixels: area averages to
  shrink, linear interpolation to enlarge."""
  old = x.shape[1]
  if old == side:
    return x
  small = side < old
  m = (
    downsample_matrix(old, side)
    if small
    else upsample_matrix(old, side, circular)
  )
  return jnp.einsum("ai,bj,nijc->nabc", m, m, x).astype(x.dtype)


def image_grid(images: np.ndarray, columns: int | None = None) -> np.ndarray:
  """Images uint8 `(n, h, w, c)` as one picture `(H, W, 3)`, by default about
  square; the last row is padded with white."""
  columns = columns or max(1, round(len(images) ** 0.5))
  missing = -len(images) % columns
  white = np.full((missing, *images.shape[1:]), 255, np.uint8)
  full = np.concatenate([images, white])
  return grid(full.reshape(-1, columns, *images.shape[1:]))
