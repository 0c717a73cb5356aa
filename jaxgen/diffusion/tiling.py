"""Canvases larger than a denoiser's images: overlapping windows, denoised
together and averaged (MultiDiffusion, arXiv:2302.08113)."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.typing import Array

Denoise = Callable[[Array, Array], Array]


def windowed(denoise: Denoise, side: int, overlap: int) -> Denoise:
  """A denoiser of any canvas at least `side` pixels high and wide.

  Windows of `side` pixels, `overlap` or more of them shared with the next, are
  denoised some at a time; where they overlap the answers are averaged with
  weights that fall off linearly to a window's edge, so that no seam remains.

  Args:
    denoise: of images of `side` pixels; conditions have to be bound to it for
      any batch size.
    side: of a window.
    overlap: in pixels, less than `side`.
  """
  ramp = np.minimum(np.arange(side) + 1, side - np.arange(side))
  weight = np.outer(ramp, ramp)[..., None].astype(np.float32)

  def canvas(x: Array, sigma: Array) -> Array:
    b, h, w, c = x.shape
    rows, columns = _places(h, side, overlap), _places(w, side, overlap)
    places = np.array([(top, left) for top in rows for left in columns])
    parts = -(-len(places) // WINDOWS)
    each = -(-len(places) // parts)
    padded = np.resize(places, (parts, each, 2))  # the last part may lack some
    shape = (b, side, side, c)

    def answer(some: Array) -> Array:
      cut = lambda place: jax.lax.dynamic_slice(x, (0, *place, 0), shape)  # noqa: E731
      windows = jax.vmap(cut)(some).reshape(each * b, side, side, c)
      return denoise(windows, jnp.tile(sigma, each)).reshape(each, *shape)

    def add(total: Array, one: tuple[Array, Array]) -> tuple[Array, None]:
      place, found = (0, *one[0], 0), one[1]
      before = jax.lax.dynamic_slice(total, place, shape)
      new = before + weight * found
      return jax.lax.dynamic_update_slice(total, new, place), None

    answers = jax.lax.map(answer, jnp.asarray(padded))
    answers = answers.reshape(-1, *shape)[: len(places)]
    total, _ = jax.lax.scan(
      add, jnp.zeros_like(x), (jnp.asarray(places), answers)
    )
    return total / _coverage(places, weight, (h, w, 1))

  return canvas


def _coverage(
  places: np.ndarray, weight: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
  """The sum of the windows' weights in each pixel."""
  total, side = np.zeros(shape, np.float32), len(weight)
  for top, left in places:
    total[top : top + side, left : left + side] += weight
  return total


def _places(length: int, side: int, overlap: int) -> list[int]:
  """Where windows begin: the fewest that overlap enough, evenly spaced."""
  count = -(-(length - overlap) // (side - overlap))
  return [round(x) for x in np.linspace(0, length - side, max(count, 1))]


WINDOWS = 16  # of each canvas, at a time
