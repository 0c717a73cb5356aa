"""Editing with a denoiser: wrappers `DenoiseFn -> DenoiseFn` and starts.

- inpainting: the denoiser of images of which a part is known, so that the flow
  carries the known pixels along at the right noise level, and what is new fits;
- canvases larger than the model's images: overlapping windows, denoised
  together and averaged (MultiDiffusion, arXiv:2302.08113);
- noise and denoise: start from the image plus noise (SDEdit, arXiv:2108.01073);
- inversion: the probability flow backwards, from an image to its noise (DDIM,
  arXiv:2010.02502, section 4.3).
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.diffusion.edm import per_image
from jaxgen.diffusion.samplers import heun
from jaxgen.typing import Array

Denoise = Callable[[Array, Array], Array]
CORRECTIONS = 2  # by default
WINDOWS = 16  # of each canvas, at a time


def inpaint(
  denoise: Denoise,
  known: Array,
  mask: Array,
  corrections: int = CORRECTIONS,
  damping: float = 0.02,
) -> Denoise:
  """The denoiser of images of which a part is known: it is `known`
  `(b, h, w, c)` where `mask` `(b, h, w, 1)` is True.

  Given x, clean images are about Gaussian with mean D and covariance
  C = sigma^2 dD/dx (Tweedie's formulas); given y = M x_0 as well, their mean is
  D + C M' (M C M')^-1 (y - M D). The inverse is by conjugate gradients (moment
  matching posterior sampling, arXiv:2405.13712), exact for Gaussian data after
  enough of them. C is symmetric, so that forward derivatives do: XLA on CPU is
  five times slower at backward ones within a loop, and they need no memory.

  Args:
    denoise: of images.
    known: the images.
    mask: what is known of them.
    corrections: steps of conjugate gradients, a forward derivative (two calls)
      each; 0: the denoiser's answer is replaced where the images are known.
    damping: share of sigma^2 added to M C M', without which some images diverge
      under networks, whose dD/dx is not quite symmetric.
  """

  def filled(x: Array, sigma: Array) -> Array:
    ask = lambda x: denoise(x, sigma)  # noqa: E731
    answer = ask(x)
    scale = per_image(sigma) ** 2

    def correct(carry, _):
      answer, rest, way, squares = carry
      moved = scale * jax.jvp(ask, (x,), (way,))[1]
      seen = jnp.where(mask, moved, 0.0) + damping * scale * way
      curve = jnp.maximum(_dot(way, seen), damping * scale * _dot(way, way))
      length = squares / jnp.maximum(curve, 1e-20)
      answer, rest = answer + length * moved, rest - length * seen
      new = _dot(rest, rest)
      way = rest + new / jnp.maximum(squares, 1e-20) * way
      return (answer, rest, way, new), None

    rest = jnp.where(mask, known - answer, 0.0)
    start = answer, rest, rest, _dot(rest, rest)
    (answer, *_), _ = jax.lax.scan(correct, start, length=corrections)
    return jnp.where(mask, known, answer)

  return filled


def _dot(a: Array, b: Array) -> Array:
  """Of each image, `(b, 1, 1, 1)`."""
  return jnp.sum(a * b, (1, 2, 3), keepdims=True)


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


def truncate(sigmas: np.ndarray, strength: float) -> np.ndarray:
  """The lower part of a grid, a share `strength` of its steps: at 1 the image
  that is edited is forgotten, towards 0 it is kept."""
  steps = len(sigmas) - 1
  return sigmas[steps - max(1, round(strength * steps)) :]


def invert(denoise: Denoise, images: Array, sigmas: np.ndarray) -> Array:
  """Noise from which a deterministic sampler makes `images` again.

  Heun's method up the grid (without its 0); the better, the more steps.
  """
  rising = np.asarray(sigmas)[:-1][::-1]
  return heun(denoise, images, rising)
