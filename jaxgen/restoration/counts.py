"""Measured counts of electrons, as observations of an image.

    counts = Poisson(s A x + o) + N(0, r^2)

In units of the image the values are u = (counts - o) / s, with the precision
p = s^2 / v, where v = s A x + o + r^2 is taken from an estimate of the image,
never from the counts: that is biased.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Float

from jaxgen.restoration import operators
from jaxgen.restoration.fusion import fuse
from jaxgen.restoration.operators import Operator
from jaxgen.typing import Array, Conditions, DenoiseFn, Images, Sigmas

Values = Float[Array, "b *m"]
PerValue = float | np.ndarray | Array  # a number, or shaped like the counts
LOWEST_RATE = 0.05  # electrons, for variances
COMPLETE = 0.95  # share of values from which an image counts as seen
BOX = 7  # side of the square whose mean stands for an unseen pixel


@dataclasses.dataclass(frozen=True, kw_only=True)
class Counts:
  """A measurement in units of the image.

  Attributes:
    operator: A.
    values: u, 0 where nothing is seen.
    seen: 1 where something is seen, else 0.
    scale: s, electrons for one unit of the image.
    offset: o, electrons of an image of zeros.
    read_variance: r^2.
    variance: v, if it is known; None: from an estimate of the image.
  """

  operator: Operator
  values: Values
  seen: Values
  scale: Values
  offset: Values
  read_variance: Values
  variance: Values | None = None

  def precision(self, clean: Images) -> Values:
    """p, by an estimate of the clean image, of which no value is below -1; 0
    where nothing is seen."""
    physical = jnp.maximum(clean, -1.0)
    return self._precision(self.scale * self.operator.apply(physical))

  def pilot(
    self,
    denoise: DenoiseFn,
    x: Images,
    sigma: Sigmas,
    cond: Conditions = None,
  ) -> Images:
    """An estimate of the clean image, for the variance: the answer of a
    denoiser of noise maps that is told the mean precision.

    Args:
      denoise: the denoiser.
      x: a noisy image, seen as well.
      sigma: its noise level; infinite: it says nothing.
      cond: conditions of the denoiser.
    """
    flat = self.mean_precision() * self.seen
    fused = fuse(x, sigma, values=self.values, precision=flat)
    return denoise(*fused, cond)

  def mean_precision(self) -> Float[Array, "b 1 1 1"]:
    """s^2 / v of the mean count of each image, with its mean variance."""
    axes = tuple(range(1, self.values.ndim))
    num = jnp.maximum(jnp.sum(self.seen, axes), 1)

    def mean(x: Values) -> Float[Array, " b"]:
      return jnp.sum(x * self.seen, axes) / num

    if self.variance is not None:
      variance = mean(self.variance)
    else:
      rate = mean(self.scale * self.values + self.offset)
      read = mean(self.read_variance)
      variance = jnp.maximum(rate, LOWEST_RATE) + read
    return (mean(self.scale) ** 2 / variance)[:, None, None, None]

  def _precision(self, signal: Values) -> Values:
    if self.variance is not None:
      return self.seen * self.scale**2 / self.variance
    rate = jnp.maximum(signal + self.offset, LOWEST_RATE)
    return self.seen * self.scale**2 / (rate + self.read_variance)


def measured(
  counts: Values,
  *,
  scale: PerValue,
  offset: PerValue,
  read_noise: PerValue,
  variance: PerValue | None = None,
  operator: Operator = operators.identity,
) -> Counts:
  """Counts in units of the image; of an operator that selects pixels, as an
  image with pixels that are not seen.

  Args:
    counts: electrons, shaped like A's output; NaN where nothing is seen.
    scale: s.
    offset: o.
    read_noise: r.
    variance: v, if it is known.
    operator: A.
  """
  _check(scale=scale, read_noise=read_noise, variance=variance)
  fit = lambda x: jnp.broadcast_to(  # noqa: E731
    jnp.asarray(x, counts.dtype), counts.shape
  )
  seen = jnp.where(jnp.isnan(counts), 0.0, 1.0)
  values = jnp.where(seen > 0, (counts - fit(offset)) / fit(scale), 0.0)
  found = Counts(
    operator=operator,
    values=values,
    seen=seen,
    scale=fit(scale),
    offset=fit(offset),
    read_variance=fit(read_noise) ** 2,
    variance=None if variance is None else fit(variance),
  )
  return _as_image(found) if operator.selects else found


def _check(**fields: PerValue | None) -> None:
  """Raise a ValueError for numbers that no sensor has."""
  for name, value in fields.items():
    if value is None or isinstance(value, Tracer):
      continue
    low = np.min(np.asarray(value))
    if not (low >= 0 if name == "read_noise" else low > 0):
      bound = "0 or more" if name == "read_noise" else "above 0"
      raise ValueError(f"{name}: expected {bound}, got {low}")


def _as_image(counts: Counts) -> Counts:
  """Counts of selected pixels in their places; elsewhere nothing is seen."""
  if counts.operator is operators.identity:
    return counts
  back = counts.operator.adjoint
  seen = back(counts.seen)
  fill = lambda x: jnp.where(seen > 0, back(x), 1.0)  # noqa: E731
  known = counts.variance
  return Counts(
    operator=operators.identity,
    values=back(counts.values * counts.seen),
    seen=seen,
    scale=fill(counts.scale),
    offset=fill(counts.offset),
    read_variance=fill(counts.read_variance),
    variance=None if known is None else fill(known),
  )


def complete(counts: Counts) -> tuple[Images, Float[Array, "b 1 1 1"]]:
  """An observation of every pixel with one precision per image: u, with the
  mean of its neighbors where nothing is seen, and the mean precision, 0 if too
  little is seen."""
  share = jnp.mean(counts.seen, (1, 2, 3), keepdims=True)
  window, stride = (1, BOX, BOX, 1), (1, 1, 1, 1)
  add = lambda x: jax.lax.reduce_window(  # noqa: E731
    x, 0.0, jax.lax.add, window, stride, "SAME"
  )
  around = add(counts.values * counts.seen) / jnp.maximum(add(counts.seen), 1)
  values = jnp.where(counts.seen > 0, counts.values, around)
  return values, jnp.where(share >= COMPLETE, counts.mean_precision(), 0.0)
