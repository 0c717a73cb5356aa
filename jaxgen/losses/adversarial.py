"""Loss of a generator and its discriminator: one scalar, stopped gradients.

The relativistic loss of pairs (Jolicoeur-Martineau 2018, arXiv:1807.00734) with
the penalties R1 and R2 of gradients at real and at generated images (Mescheder
et al. 2018, arXiv:1801.04406), by which both players converge (Huang et al.
2024, arXiv:2501.05441, section 2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient
from jaxtyping import Float

from jaxgen.typing import Array, Images, Params

Logits = Float[Array, "b ..."]
Discriminate = Callable[[Params, Images], Logits]  # each image by itself
Scalar = Float[Array, ""]


class Terms(NamedTuple):
  """The terms of a batch, means over images and logits.

  Attributes:
    generator: the loss of the generator; no gradient to the discriminator.
    discriminator: the loss of the discriminator, without penalties; no gradient
      to the generated images.
    gap: the mean of the logits of real images less those of generated ones.
  """

  generator: Scalar
  discriminator: Scalar
  gap: Scalar


def terms(
  discriminate: Discriminate, params: Params, *, real: Images, fake: Images
) -> Terms:
  """The losses of both players, softplus of the difference of the logits.

  Args:
    discriminate: (params, images) -> logits, higher for real images.
    params: parameters of the discriminator.
    real: images.
    fake: generated images, of the same number; each is paired with one.
  """
  frozen = stop_gradient(params)
  deceived = discriminate(frozen, real) - discriminate(frozen, fake)
  gap = discriminate(params, real) - discriminate(params, stop_gradient(fake))
  return Terms(
    generator=jnp.mean(jax.nn.softplus(deceived)),
    discriminator=jnp.mean(jax.nn.softplus(-gap)),
    gap=stop_gradient(jnp.mean(gap)),
  )


def penalty(
  discriminate: Discriminate, params: Params, *, real: Images, fake: Images
) -> Scalar:
  """R1 + R2 for gamma = 1, without a gradient to the generated images."""
  slopes = (
    squared_slope(discriminate, params, stop_gradient(x)) for x in (real, fake)
  )
  return sum(slopes, jnp.zeros(())) / 2


def squared_slope(
  discriminate: Discriminate, params: Params, images: Images
) -> Scalar:
  """The squared norm of the gradient at an image of the sum of its logits,
  divided by their number; its mean over images.

  Logits of distant pixels do not depend on the same ones, so that it does not
  depend on the size of the image; with a single logit it is that of R1.
  """

  def total(x: Images) -> tuple[Scalar, Logits]:
    logits = discriminate(params, x)
    return jnp.sum(logits), logits

  gradient, logits = jax.grad(total, has_aux=True)(images)
  return jnp.sum(gradient**2) / logits.size
