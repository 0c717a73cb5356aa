"""Counts at a lower resolution: pixels summed in squares.

The sum of the counts of f x f pixels is the count of a pixel that sees their
mean, with f^2 times the electrons and f times the read noise. So an image of
fewer pixels is restored as any other, and enlarged.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from jaxgen.restoration.counts import PerValue
from jaxgen.typing import Array, Images

FILTER = "lanczos3"  # of images that are enlarged


class Binned(NamedTuple):
  """Counts and their model, all of one shape; see `posterior.restore`."""

  counts: Images
  scale: Images
  offset: Images
  read_noise: Images


def bin_counts(
  counts: Images,
  factor: int,
  *,
  scale: PerValue,
  offset: PerValue,
  read_noise: PerValue,
) -> Binned:
  """Sums of squares of `factor` x `factor` pixels, of those that are seen.

  Args:
    counts: electrons `(b, h, w, c)`, NaN where nothing is seen; height and
      width are multiples of `factor`.
    factor: side of a square.
    scale, offset, read_noise: as for `posterior.restore`.
  """
  seen = ~jnp.isnan(counts)
  some = _sums(seen.astype(counts.dtype), factor) > 0

  def total(x: PerValue) -> Images:
    whole = jnp.broadcast_to(jnp.asarray(x, counts.dtype), counts.shape)
    sums = _sums(jnp.where(seen, whole, 0.0), factor)
    return jnp.where(some, sums, _sums(jnp.nan_to_num(whole), factor))

  sums = jnp.where(some, total(counts), jnp.nan)
  noise = jnp.sqrt(total(jnp.square(jnp.asarray(read_noise))))
  return Binned(sums, total(scale), total(offset), noise)


def enlarge(images: Images, factor: int) -> Float[Array, "b _ _ c"]:
  """Images with `factor` times the height and width, by `FILTER`."""
  b, h, w, c = images.shape
  shape = (b, h * factor, w * factor, c)
  return jax.image.resize(images, shape, FILTER)


def enlarge_variance(variance: Images, factor: int) -> Float[Array, "b _ _ c"]:
  """Variances of enlarged images: linear between pixels, so that none that are
  positive become negative."""
  b, h, w, c = variance.shape
  shape = (b, h * factor, w * factor, c)
  return jax.image.resize(variance, shape, "linear")


def _sums(x: Images, factor: int) -> Float[Array, "b _ _ c"]:
  b, h, w, c = x.shape
  if h % factor or w % factor:
    raise ValueError(
      f"counts: expected a height and width in multiples of {factor}, got"
      f" {h} x {w}"
    )
  parts = x.reshape(b, h // factor, factor, w // factor, factor, c)
  return jnp.sum(parts, (2, 4))
