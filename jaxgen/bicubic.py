"""Bicubic resizing, antialiased, of arrays of NumPy or JAX.

The kernel is that of Keys 1981 (doi:10.1109/TASSP.1981.1163711) with a = -0.5,
widened by the factor when shrinking; at the borders the weights of the pixels
that exist are normalized. So do Pillow and `jax.image.resize`.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
  import scipy.sparse

  from jaxgen.typing import Array

AnyArray = TypeVar("AnyArray", np.ndarray, "Array")


def keys(x: np.ndarray) -> np.ndarray:
  """The kernel, which is 0 from a distance of 2 on."""
  x = np.abs(x)
  near = (1.5 * x - 2.5) * x * x + 1
  far = ((-0.5 * x + 2.5) * x - 4) * x + 2
  return np.where(x < 1, near, np.where(x < 2, far, 0))


def bands(old: int, new: int) -> scipy.sparse.csr_matrix:
  """The matrix `(new, old)` of `matrix`, float64, of any size."""
  import scipy.sparse  # lazy: the import takes 0.4 s

  scale = max(old / new, 1.0)
  centers = (np.arange(new) + 0.5) * old / new - 0.5
  first = np.ceil(centers - 2 * scale).astype(int)
  columns = first[:, None] + np.arange(int(4 * scale) + 1)
  weights = keys((columns - centers[:, None]) / scale)
  weights *= (columns >= 0) & (columns < old)
  weights /= weights.sum(1, keepdims=True)
  rows = np.broadcast_to(np.arange(new)[:, None], columns.shape)
  entries = weights != 0
  places = rows[entries], columns[entries]
  return scipy.sparse.csr_matrix((weights[entries], places), shape=(new, old))


@functools.lru_cache(maxsize=64)
def matrix(old: int, new: int) -> np.ndarray:
  """The matrix `(new, old)` from `old` samples to `new`, float32."""
  return bands(old, new).toarray().astype(np.float32)


def resize(x: AnyArray, height: int, width: int) -> AnyArray:
  """Float images `(..., h, w, c)` resized to `(..., height, width, c)`."""
  rows, columns = matrix(x.shape[-3], height), matrix(x.shape[-2], width)
  if isinstance(x, np.ndarray):
    across = columns @ x
    planes = rows @ np.moveaxis(across, -1, -3)
    return np.ascontiguousarray(np.moveaxis(planes, -3, -1))
  import jax.numpy as jnp  # lazy: processes that read data have no JAX

  return jnp.einsum("ai,bj,...ijc->...abc", rows, columns, x)


def reduce(x: np.ndarray, factor: int) -> np.ndarray:
  """Images `(..., h, w, c)` of any stored type, smaller by a factor that
  divides their sides, in the same type: integers are rounded and clipped."""
  height, width = x.shape[-3] // factor, x.shape[-2] // factor
  small = resize(x.astype(np.float32), height, width)
  if x.dtype.kind == "f":
    return small.astype(x.dtype)
  top = np.iinfo(x.dtype).max
  return np.clip(np.rint(small), 0, top).astype(x.dtype)


def project(images: np.ndarray, low: np.ndarray) -> np.ndarray:
  """The nearest images whose bicubic reductions are the small ones.

  With the reduction A that is y + A' (A A')^-1 (low - A y), exact up to
  rounding: it is solved along each axis, in float64.

  Args:
    images: float32 `(h, w, c)`, y.
    low: float32, smaller by an integer factor.
  """
  import scipy.sparse.linalg

  sides = zip(images.shape[:2], low.shape[:2], strict=True)
  rows, columns = (bands(old, new) for old, new in sides)
  down, across = (
    scipy.sparse.linalg.splu((a @ a.T).tocsc()).solve for a in (rows, columns)
  )
  result = np.empty_like(images)
  for channel in range(images.shape[2]):
    y = images[..., channel].astype(np.float64)
    missing = low[..., channel] - (columns @ (rows @ y).T).T
    dual = across(np.ascontiguousarray(down(missing).T))
    result[..., channel] = y + rows.T @ (columns.T @ dual).T
  return result


def back_project(
  images: np.ndarray, low: np.ndarray, *, steps: int
) -> np.ndarray:
  """Enlarged images `(..., h, w, c)` after steps of iterative back-projection
  (Irani and Peleg 1991): what the bicubic reduction lacks of the small images
  is enlarged and added."""
  height, width = images.shape[-3:-1]
  for _ in range(steps):
    missing = low - resize(images, *low.shape[-3:-1])
    images = images + resize(missing, height, width)
  return images
