"""Denoisers of images of which a part is known, so that the flow carries the
known pixels along at the right noise level, and what is new fits."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgen.diffusion.edm import per_image
from jaxgen.typing import Array

Denoise = Callable[[Array, Array], Array]
CORRECTIONS = 2  # by default


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
