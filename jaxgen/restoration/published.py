"""Published ways to condition a denoiser on a measurement, for comparison.

- `dps`: diffusion posterior sampling (arXiv:2209.14687, algorithm 1);
- `diffpir`: a proximal step on the denoised image (arXiv:2305.08995, algorithm
  1, lines 4 and 5).

Both are heuristic: neither gives the posterior mean, even of Gaussian images.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgen.diffusion.edm import per_image
from jaxgen.restoration.fusion import fuse
from jaxgen.restoration.operators import Measurement
from jaxgen.typing import Array, Conditions, DenoiseFn, Images, Levels


def dps(
  denoise: DenoiseFn,
  measurement: Measurement,
  *,
  grid: Float[np.ndarray, " n"],
  zeta: float = 1.0,
) -> DenoiseFn:
  """A denoiser whose DDPM steps are those of DPS.

  A step from s to t moves by zeta grad |y - A D|^2 / |y - A D|, in the
  coordinates of DDPM, x / sqrt(1 + sigma^2); it is divided by the share of D
  in the step, so that it depends on the grid.

  Args:
    denoise: the unconditional denoiser.
    measurement: y and A; its noise plays no part.
    grid: the noise levels of the sampler.
    zeta: the length of the step.
  """
  operator = measurement.operator
  levels = jnp.asarray(grid, jnp.float32)[None]

  def guided(x: Images, sigma: Levels, cond: Conditions = None) -> Images:
    def misfit(x: Images) -> tuple[Float[Array, ""], Images]:
      clean = denoise(x, sigma, cond)
      error = measurement.values - operator.apply(clean)
      squares = jnp.sum(error.reshape(len(x), -1) ** 2, 1)
      # the gradient of the norm is that of its square, divided by 2 norms
      norms = jnp.sqrt(jnp.maximum(squares, 1e-20))
      return 2 * jnp.sum(norms), clean

    slope, clean = jax.grad(misfit, has_aux=True)(x)
    below = jnp.where(levels < sigma[:, None] * (1 - 1e-4), levels, 0.0)
    lower = jnp.max(below, 1)
    scale = jnp.sqrt((1 + sigma**2) * (1 + lower**2))
    share = 1 - (lower / sigma) ** 2
    return clean - per_image(zeta * scale / share) * slope

  return guided


def diffpir(
  denoise: DenoiseFn, measurement: Measurement, *, strength: float = 8.0
) -> DenoiseFn:
  """The denoised image x that minimizes
  |y - A x|^2 / v + strength / sigma^2 |x - D|^2.

  Args:
    denoise: the unconditional denoiser.
    measurement: y with the variance v; its operator selects pixels.
    strength: weight of the denoised image, lambda.
  """
  operator, values = measurement.operator, measurement.values
  if not operator.selects:
    raise ValueError("measurement: expected an operator that selects pixels")
  inverse = 1 / jnp.broadcast_to(
    jnp.asarray(measurement.noise.variance, values.dtype), values.shape
  )
  precision = operator.adjoint(inverse)
  known = operator.adjoint(values)

  def guided(x: Images, sigma: Levels, cond: Conditions = None) -> Images:
    clean = denoise(x, sigma, cond)
    level = sigma / strength**0.5
    return fuse(clean, level, values=known, precision=precision)[0]

  return guided
