"""Denoising of canvases larger than a denoiser's images, in overlapping windows
that are averaged (MultiDiffusion, arXiv:2302.08113)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import windows
from jaxgen.typing import Array, Conditions, DenoiseFn, Images, Sigmas

WINDOWS = 16  # maximum number of windows of a canvas per batch


def windowed(denoise: DenoiseFn, *, side: int, overlap: int) -> DenoiseFn:
  """A denoiser of any canvas at least `side` pixels high and wide.

  Windows of `side` pixels that overlap by at least `overlap` pixels are
  denoised in batches. Overlapping outputs are averaged with weights that
  decrease linearly towards a window's edge, so that there are no seams.
  Conditions with the canvas's height and width are cut into windows too; all
  others `(b, ...)` apply to every window of an image.

  Args:
    denoise: a denoiser of images of `side` pixels.
    side: side of a window.
    overlap: minimum overlap in pixels, less than `side`.
  """
  ramp = windows.ramp(side)
  weight = np.outer(ramp, ramp)[None, ..., None]

  def canvas(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    b, h, w, c = x.shape
    grid = windows.window_grid(h, w, side=side, overlap=overlap)
    places = np.array(grid.places)
    parts = -(-len(places) // WINDOWS)
    each = -(-len(places) // parts)
    padded = np.resize(places, (parts, each, 2))  # pads the last part

    def denoise_part(part: Array) -> Array:
      cut = lambda value: _cut(value, part, side=side, canvas=x.shape)  # noqa: E731
      denoised = denoise(*jax.tree.map(cut, (x, sigma, cond)))
      return denoised.reshape(each, b, side, side, c)

    denoised = jax.lax.map(denoise_part, jnp.asarray(padded))
    denoised = denoised.reshape(-1, b, side, side, c)[: len(places)]
    total = _add_up(denoised, places, like=x, weight=weight)
    return total / _coverage(places, weight, (1, h, w, 1))

  return canvas


def _cut(
  value: Array, places: Array, *, side: int, canvas: tuple[int, ...]
) -> Array:
  """The parts of `value` `(b, ...)` for windows at `places` `(n, 2)`, window
  by window: `(n b, ...)`."""
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
  parts: Array, places: np.ndarray, *, like: Array, weight: np.ndarray
) -> Array:
  """The weighted sum of windows `(n, b, side, side, c)` on a canvas."""
  shape = parts.shape[1:]

  def add(total: Array, item: tuple[Array, Array]) -> tuple[Array, None]:
    (top, left), window = item
    place = (0, top, left, 0)
    new = jax.lax.dynamic_slice(total, place, shape) + weight * window
    return jax.lax.dynamic_update_slice(total, new, place), None

  items = (jnp.asarray(places), parts)
  return jax.lax.scan(add, jnp.zeros_like(like), items)[0]


def _coverage(
  places: np.ndarray, weight: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
  """The sum of the windows' weights at each pixel."""
  total, side = np.zeros(shape, np.float32), weight.shape[1]
  for top, left in places:
    total[:, top : top + side, left : left + side] += weight
  return total
