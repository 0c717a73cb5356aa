"""Canvases larger than a denoiser's images: overlapping windows, denoised
together and averaged (MultiDiffusion, arXiv:2302.08113)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.typing import Array, Conditions, DenoiseFn, Images, Sigmas

WINDOWS = 16  # of each canvas, at a time


def windowed(denoise: DenoiseFn, *, side: int, overlap: int) -> DenoiseFn:
  """A denoiser of any canvas at least `side` pixels high and wide.

  Windows of `side` pixels, `overlap` or more of them shared with the next, are
  denoised some at a time; where they overlap the answers are averaged with
  weights that fall off linearly to a window's edge, so that no seam remains.
  Conditions with a canvas's height and width are cut as it is; all others
  `(b, ...)` are those of an image and go with each of its windows.

  Args:
    denoise: of images of `side` pixels.
    side: of a window.
    overlap: in pixels, less than `side`.
  """
  ramp = np.minimum(np.arange(side) + 1, side - np.arange(side))
  weight = np.outer(ramp, ramp)[..., None].astype(np.float32)

  def canvas(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    b, h, w, c = x.shape
    rows, columns = _places(h, side, overlap), _places(w, side, overlap)
    places = np.array([(top, left) for top in rows for left in columns])
    parts = -(-len(places) // WINDOWS)
    each = -(-len(places) // parts)
    padded = np.resize(places, (parts, each, 2))  # the last part may lack some

    def answer(some: Array) -> Array:
      cut = lambda value: _cut(value, some, side=side, canvas=x.shape)  # noqa: E731
      windows = denoise(*jax.tree.map(cut, (x, sigma, cond)))
      return windows.reshape(each, b, side, side, c)

    answers = jax.lax.map(answer, jnp.asarray(padded))
    answers = answers.reshape(-1, b, side, side, c)[: len(places)]
    total = _add_up(answers, places, like=x, weight=weight)
    return total / _coverage(places, weight, (h, w, 1))[None]

  return canvas


def _cut(
  value: Array, places: Array, *, side: int, canvas: tuple[int, ...]
) -> Array:
  """The parts of `value` `(b, ...)` for windows at `places` `(n, 2)`, one
  window of all images after the other: `(n b, ...)`."""
  b, height, width, _ = canvas
  if value.ndim < 4 and value.shape[:1] == (b,):
    return jnp.tile(value, (len(places), *(1,) * (value.ndim - 1)))
  if value.shape[:3] != (b, height, width):
    raise ValueError(
      f"cond: expected ({b},) or ({b}, {height}, {width}, c) for this canvas, "
      f"got {value.shape}"
    )
  shape = (b, side, side, *value.shape[3:])
  cut = lambda place: jax.lax.dynamic_slice(value, (0, *place, 0), shape)  # noqa: E731
  return jax.vmap(cut)(places).reshape(-1, *shape[1:])


def _add_up(
  answers: Array, places: np.ndarray, *, like: Array, weight: np.ndarray
) -> Array:
  """The weighted sum of windows `(n, b, side, side, c)` on a canvas."""
  shape = answers.shape[1:]

  def add(total: Array, one: tuple[Array, Array]) -> tuple[Array, None]:
    (top, left), window = one
    place = (0, top, left, 0)
    new = jax.lax.dynamic_slice(total, place, shape) + weight[None] * window
    return jax.lax.dynamic_update_slice(total, new, place), None

  every = (jnp.asarray(places), answers)
  return jax.lax.scan(add, jnp.zeros_like(like), every)[0]


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
