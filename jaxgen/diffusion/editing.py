"""Editing with a denoiser: wrappers `DenoiseFn -> DenoiseFn` and starts.

- inpainting: what is known replaces the denoiser's answer there, so that the
  flow carries the known pixels along at the right noise level;
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

from jaxgen.diffusion.samplers import heun
from jaxgen.typing import Array

Denoise = Callable[[Array, Array], Array]


def inpaint(denoise: Denoise, known: Array, mask: Array) -> Denoise:
  """The denoiser with its answer replaced by `known` `(b, h, w, c)` where
  `mask` `(b, h, w, 1)` is True."""

  def filled(x: Array, sigma: Array) -> Array:
    return jnp.where(mask, known, denoise(x, sigma))

  return filled


def windowed(denoise: Denoise, side: int, overlap: int) -> Denoise:
  """A denoiser of any canvas at least `side` pixels high and wide.

  Windows of `side` pixels, `overlap` or more of them shared with the next, are
  denoised in one batch; where they overlap the answers are averaged with
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
    windows = jnp.concatenate([cut(place) for place in places])
    answers = denoise(windows, jnp.tile(sigma, len(places)))
    total, weights = jnp.zeros_like(x), jnp.zeros((h, w, 1))
    for (top, left), answer in zip(
      places, jnp.split(answers, len(places)), strict=True
    ):
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
