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
WINDOWS = 16  # of each canvas, at a time


def inpaint(
  denoise: Denoise,
  known: Array,
  mask: Array,
  corrections: int = 1,
  damping: float = 0.02,
) -> Denoise:
  """The denoiser of images of which a part is known: it is `known`
  `(b, h, w, c)` where `mask` `(b, h, w, 1)` is True.

  Given x, clean images are about Gaussian with mean D and covariance
  C = sigma^2 dD/dx (Tweedie's formulas); given y = M x_0 as well, their mean is
  D + C M' (M C M')^-1 (y - M D). The inverse is by conjugate gradients (moment
  matching posterior sampling, arXiv:2405.13712), exact for Gaussian data after
  enough of them.

  Args:
    denoise: of images.
    known: the images.
    mask: what is known of them.
    corrections: steps of conjugate gradients, a backward pass each; 0: the
      denoiser's answer is replaced where the images are known, no more.
    damping: share of sigma^2 added to M C M', without which some images diverge
      under networks, whose dD/dx is not quite symmetric.
  """

  def filled(x: Array, sigma: Array) -> Array:
    answer, pull = jax.vjp(lambda x: denoise(x, sigma), x)
    scale = per_image(sigma) ** 2
    rest = jnp.where(mask, known - answer, 0.0)
    way, squares = rest, _dot(rest, rest)
    for _ in range(corrections):
      moved = scale * pull(way)[0]
      seen = jnp.where(mask, moved, 0.0) + damping * scale * way
      curve = jnp.maximum(_dot(way, seen), damping * scale * _dot(way, way))
      length = squares / jnp.maximum(curve, 1e-20)
      answer, rest = answer + length * moved, rest - length * seen
      before, squares = squares, _dot(rest, rest)
      way = rest + squares / jnp.maximum(before, 1e-20) * way
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
  weight = jnp.asarray(np.outer(ramp, ramp)[..., None], jnp.float32)

  def canvas(x: Array, sigma: Array) -> Array:
    b, h, w, c = x.shape
    places = [
      (top, left)
      for top in _places(h, side, overlap)
      for left in _places(w, side, overlap)
    ]
    cut = lambda p: jax.lax.dynamic_slice(x, (0, *p, 0), (b, side, side, c))  # noqa: E731
    parts = -(-len(places) // WINDOWS)
    each = -(-len(places) // parts)
    cuts = [cut(place) for place in places]
    cuts += cuts[:1] * (parts * each - len(places))  # a part may lack some
    windows = jnp.stack(cuts).reshape(parts, each * b, side, side, c)
    answer = jax.checkpoint(lambda x: denoise(x, jnp.tile(sigma, each)))
    answers = jax.lax.map(answer, windows).reshape(-1, b, side, side, c)
    total, weights = jnp.zeros_like(x), jnp.zeros((h, w, 1))
    for (top, left), answer in zip(places, answers[: len(places)], strict=True):
      area = slice(top, top + side), slice(left, left + side)
      total = total.at[:, *area].add(weight * answer)
      weights = weights.at[area].add(weight)
    return total / weights

  return canvas


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
