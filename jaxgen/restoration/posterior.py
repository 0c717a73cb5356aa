"""Posterior guidance: denoisers conditioned on a measurement of the images, so
that samples agree with it at every noise level.

- `restore`: of counts of electrons, by fusion (`restoration.fusion`);
- `guide`, `inpaint`: of linear measurements with given noise, as follows.

Given x, clean images are approximately Gaussian with mean D and covariance
C = sigma^2 dD/dx (Tweedie's formulas). Given also y = A x_0 + n, n ~ N(0, S),
their mean is

    D + C A' (A C A' + S)^-1 (y - A D).

The linear system is solved by conjugate gradients (moment matching posterior
sampling, arXiv:2405.13712), exact for Gaussian data after enough iterations. C
is symmetric, so that forward-mode derivatives suffice: they store no
activations, and XLA on CPU is five times slower at reverse mode within a loop.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from jaxgen.diffusion.edm import per_image
from jaxgen.restoration import fusion, operators, sensor_numbers
from jaxgen.restoration.corrections import corrected
from jaxgen.restoration.counts import Counts, PerValue, measured
from jaxgen.restoration.operators import Measurement, Operator
from jaxgen.typing import Array, Conditions, DenoiseFn, Images, Sigmas

Values = Float[Array, "b *_"]
CORRECTIONS = 2  # default
DAMPING = 0.02  # default


def restore(
  denoise: DenoiseFn,
  counts: Values,
  *,
  scale: PerValue,
  offset: PerValue,
  read_noise: PerValue,
  corrections: int = CORRECTIONS,
  variance: PerValue | None = None,
  operator: Operator = operators.identity,
  noise_map: bool = False,
) -> DenoiseFn:
  """A denoiser conditioned on counts: Poisson(scale A x + offset) electrons,
  with read noise.

  With `noise_map` it is one call of the denoiser, which is told the numbers of
  the sensor too (`sensor_numbers`). Without, the noisy image is fused with the
  counts at their mean precision, and what is uneven about it is corrected by
  derivatives, as exactly as the number of corrections allows.

  Args:
    denoise: the unconditional denoiser, or one with its conditions bound.
    counts: electrons, shaped like A's output; NaN where nothing is seen.
    scale: electrons for one unit of the image (which is from -1 to 1).
    offset: electrons of an image of zeros.
    read_noise: standard deviation of the read noise in electrons.
    corrections: steps of minimal residual, each a forward-mode derivative;
      not for `noise_map`.
    variance: variance of the counts, if known; None: by the denoiser's answer.
    operator: A.
    noise_map: whether the denoiser takes noise maps.
  """
  data = measured(
    counts,
    scale=scale,
    offset=offset,
    read_noise=read_noise,
    variance=variance,
    operator=operator,
  )
  if noise_map and operator.selects:
    return _mapped(denoise, data)
  return corrected(denoise, data, corrections)


def _mapped(denoise: DenoiseFn, data: Counts) -> DenoiseFn:
  """The denoiser of the fused image and its noise map, with the precision by
  one answer to the counts alone."""
  nothing = jnp.full(data.values.shape[:1], jnp.inf)
  pilot = data.pilot(denoise, jnp.zeros_like(data.values), nothing)
  precision = data.precision(pilot)

  def restored(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    fused = fusion.fuse(x, sigma, values=data.values, precision=precision)
    return denoise(*fused, sensor_numbers.told(data, cond))

  return restored


def guide(
  denoise: DenoiseFn,
  measurement: Measurement,
  *,
  corrections: int = CORRECTIONS,
  damping: float = DAMPING,
) -> DenoiseFn:
  """A denoiser conditioned on a linear measurement of the images.

  Args:
    denoise: the unconditional denoiser.
    measurement: the measurement of the same images.
    corrections: iterations of conjugate gradients, each a forward-mode
      derivative (the cost of two calls); 0: the output is not corrected.
    damping: fraction of sigma^2 added to A C A'; without it some images diverge
      for networks, whose dD/dx is not exactly symmetric.
  """
  operator = measurement.operator

  def guided(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    clean = lambda x: denoise(x, sigma, cond)  # noqa: E731
    mean, scale = clean(x), per_image(sigma) ** 2
    residual = measurement.values - operator.apply(mean)
    ridge = damping * _fit(scale, residual) + measurement.noise.variance

    def correct(carry, _):
      mean, residual, direction, squares = carry
      _, slope = jax.jvp(clean, (x,), (operator.adjoint(direction),))
      update = scale * slope  # C A' direction
      mapped = operator.apply(update) + ridge * direction
      floor = _dot(direction, ridge * direction)  # the value for C = 0
      curvature = jnp.maximum(_dot(direction, mapped), floor)
      length = squares / jnp.maximum(curvature, 1e-20)
      mean = mean + _fit(length, mean) * update
      residual = residual - length * mapped
      new = _dot(residual, residual)
      direction = residual + new / jnp.maximum(squares, 1e-20) * direction
      return (mean, residual, direction, new), None

    start = mean, residual, residual, _dot(residual, residual)
    (mean, *_), _ = jax.lax.scan(correct, start, length=corrections)
    return mean

  return guided


def inpaint(
  denoise: DenoiseFn,
  known: Images,
  mask: Bool[Array, "#b #h #w 1"],
  *,
  corrections: int = CORRECTIONS,
  damping: float = DAMPING,
) -> DenoiseFn:
  """A denoiser of images whose pixels are known where `mask` is True: measured
  without noise, and returned unchanged.

  Args:
    denoise: the unconditional denoiser.
    known: images `(b, h, w, c)` with the known pixels.
    mask: `(b, h, w, 1)`, True where pixels are known.
    corrections: as for `guide`; 0: known pixels are replaced, nothing else.
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
  """One number per image, `(b, 1, ...)`, with as many axes as `like`."""
  return values.reshape(-1, *(1,) * (like.ndim - 1))
