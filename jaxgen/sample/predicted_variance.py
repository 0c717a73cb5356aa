"""The variance of the images that counts allow, without sampling."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.restoration.fusion import NO_INFORMATION
from jaxgen.typing import Array, DenoiseFn, Images

SPACING = 4  # pixels between the ones of a probe of the derivative
SMOOTHING = 5  # side of the square over which variances are averaged


def num_calls(channels: int) -> int:
  """Denoiser calls that it takes; a derivative counts as two."""
  return 2 * SPACING**2 * channels


def variance(denoise: DenoiseFn, x: Images, seen: Images) -> Images:
  """The variance of each pixel: sigma^2 dD/dx of a denoiser given the counts,
  at a sigma at which x says nothing.

  Only the diagonal of the derivative is needed: each probe has ones of random
  sign, so far apart that they hardly see each other, and their channels are
  apart. What is left of that is averaged over a few pixels, those that are seen
  and the others apart. A network's may not be positive.
  """
  b, h, w, c = x.shape
  level = jnp.full(b, NO_INFORMATION)
  signs = jax.random.rademacher(jax.random.key(0), (1, h, w, 1), x.dtype)
  rows, columns = np.arange(h) % SPACING, np.arange(w) % SPACING
  cell = rows[:, None] * SPACING + columns[None]
  place = jnp.asarray(cell[None, ..., None] * c + np.arange(c))

  def add(total: Images, i: Array) -> tuple[Images, None]:
    probe = jnp.broadcast_to(jnp.where(place == i, signs, 0.0), x.shape)
    push = NO_INFORMATION**2 * probe
    _, slope = jax.jvp(lambda x: denoise(x, level), (x,), (push,))
    return total + probe * slope, None

  probes = jnp.arange(SPACING**2 * c)
  total, _ = jax.lax.scan(add, jnp.zeros_like(x), probes)
  return jnp.where(seen > 0, _mean(total, seen), _mean(total, 1 - seen))


def _mean(x: Images, weight: Images) -> Images:
  """The weighted means of squares of pixels around each pixel."""
  window, stride = (1, SMOOTHING, SMOOTHING, 1), (1, 1, 1, 1)
  add = lambda x: jax.lax.reduce_window(  # noqa: E731
    x, 0.0, jax.lax.add, window, stride, "SAME"
  )
  return add(x * weight) / jnp.maximum(add(weight), 1.0)
