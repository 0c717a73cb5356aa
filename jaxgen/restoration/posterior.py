"""Posterior guidance: denoisers of images of which something was measured, so
that what is sampled agrees with it at every noise level.

Given x, clean images are about Gaussian with mean D and covariance
C = sigma^2 dD/dx (Tweedie's formulas); given y = A x_0 + n, n ~ N(0, S), as
well, their mean is

    D + C A' (A C A' + S)^-1 (y - A D).

The inverse is by conjugate gradients (moment matching posterior sampling,
arXiv:2405.13712), exact for Gaussian data after enough of them. C is symmetric,
so that forward derivatives do: XLA on CPU is five times slower at backward ones
within a loop, and they need no memory.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from jaxgen.diffusion.edm import per_image
from jaxgen.restoration import operators
from jaxgen.restoration.operators import Measurement
from jaxgen.typing import Array, Conditions, DenoiseFn, Images, Sigmas

Values = Float[Array, "b *_"]
CORRECTIONS = 2  # by default
DAMPING = 0.02  # by default


def guide(
  denoise: DenoiseFn,
  measurement: Measurement,
  *,
  corrections: int = CORRECTIONS,
  damping: float = DAMPING,
) -> DenoiseFn:
  """The denoiser of images of which a linear measurement is known.

  Args:
    denoise: of images.
    measurement: of the same images.
    corrections: steps of conjugate gradients, a forward derivative (two calls)
      each; 0: the denoiser's answer stays as it is.
    damping: share of sigma^2 added to A C A', without which some images diverge
      under networks, whose dD/dx is not quite symmetric.
  """
  operator = measurement.operator

  def guided(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    clean = lambda x: denoise(x, sigma, cond)  # noqa: E731
    answer, scale = clean(x), per_image(sigma) ** 2
    residual = measurement.values - operator.apply(answer)
    ridge = damping * _fit(scale, residual) + measurement.noise.variance

    def correct(carry, _):
      answer, residual, direction, squares = carry
      _, slope = jax.jvp(clean, (x,), (operator.adjoint(direction),))
      moved = scale * slope  # C A' direction
      curved = operator.apply(moved) + ridge * direction
      floor = _dot(direction, ridge * direction)  # as if C were 0
      curvature = jnp.maximum(_dot(direction, curved), floor)
      length = squares / jnp.maximum(curvature, 1e-20)
      answer = answer + _fit(length, answer) * moved
      residual = residual - length * curved
      new = _dot(residual, residual)
      direction = residual + new / jnp.maximum(squares, 1e-20) * direction
      return (answer, residual, direction, new), None

    start = answer, residual, residual, _dot(residual, residual)
    (answer, *_), _ = jax.lax.scan(correct, start, length=corrections)
    return answer

  return guided


def inpaint(
  denoise: DenoiseFn,
  known: Images,
  mask: Bool[Array, "#b #h #w 1"],
  *,
  corrections: int = CORRECTIONS,
  damping: float = DAMPING,
) -> DenoiseFn:
  """The denoiser of images that are `known` `(b, h, w, c)` where `mask`
  `(b, h, w, 1)` is True: measured without noise, and returned as they are.

  Args:
    denoise: of images.
    known: the images.
    mask: what is known of them.
    corrections: as for `guide`; 0: the denoiser's answer is only replaced where
      the images are known.
    damping: as for `guide`.
  """
  measurement = Measurement(
    operator=operators.mask(mask), values=jnp.where(mask, known, 0.0)
  )
  guided = guide(denoise, measurement, corrections=corrections, damping=damping)

  def filled(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    return jnp.where(mask, known, guided(x, sigma, cond))

  return filled


def _dot(a: Values, b: Values) -> Values:
  """The inner products of each image, `(b, 1, ...)`."""
  return jnp.sum(a * b, tuple(range(1, a.ndim)), keepdims=True)


def _fit(values: Values, like: Values) -> Values:
  """One number for each image, `(b, 1, ...)`, with as many axes as `like`."""
  return values.reshape(-1, *(1,) * (like.ndim - 1))
