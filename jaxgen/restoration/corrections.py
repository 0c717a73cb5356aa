"""Denoisers without noise maps, conditioned on counts: one precision per image,
and corrections by derivatives for the rest."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Float

from jaxgen.diffusion.edm import per_image
from jaxgen.restoration import fusion, operators, residuals
from jaxgen.restoration.counts import Counts, complete
from jaxgen.typing import Array, Conditions, DenoiseFn, Images, Sigmas

Values = Float[Array, "b *_"]


def corrected(denoise: DenoiseFn, data: Counts, corrections: int) -> DenoiseFn:
  """The denoiser of the image fused at one precision per image, its answer
  corrected for the rest of the precision, which has both signs."""
  operator = data.operator
  if operator is operators.identity:
    values, even = complete(data)
  else:
    values, even = data.values, jnp.zeros((len(data.values), 1, 1, 1))
  told = even.reshape(-1, *(1,) * (values.ndim - 1))

  def restored(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    known = values if operator is operators.identity else 0 * x
    fused, spread = fusion.fuse(x, sigma, values=known, precision=even)
    level = spread[:, 0, 0, 0]
    mean, push = jax.linearize(lambda x: denoise(x, level, cond), fused)
    rest = data.precision(mean) - told
    root, sign = jnp.sqrt(jnp.abs(rest)), jnp.sign(rest)

    def apply(direction: Values) -> tuple[Images, Values]:
      image = operator.adjoint(root * sign * direction)
      image = per_image(level) ** 2 * push(image)
      return image, direction + root * operator.apply(image)

    right = root * (values - operator.apply(mean))
    update, _ = residuals.solve(apply, right, steps=corrections, like=mean)
    return mean + update

  return restored
