"""Linear measurements of images with Gaussian noise.

    y = A x + n,    n ~ N(0, diag(variance))

An `Operator` is A and its adjoint as functions, so that a mask, a blur or a
mosaic takes a few lines.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Bool

from jaxgen.restoration.noise import EXACT, GaussianNoise, Values
from jaxgen.typing import Array, Images


@dataclasses.dataclass(frozen=True, kw_only=True)
class Operator:
  """A linear map of images, with its adjoint: <A x, y> = <x, A' y>.

  Each image of a batch is mapped independently.

  Attributes:
    apply: A, images `(b, h, w, c)` to measurements `(b, ...)`.
    adjoint: A', measurements to images.
  """

  apply: Callable[[Images], Values]
  adjoint: Callable[[Values], Images]


identity = Operator(apply=lambda x: x, adjoint=lambda y: y)
"""The identity: images are measured directly."""


def mask(seen: Bool[Array, "#b #h #w 1"]) -> Operator:
  """The operator that keeps pixels where `seen` is True and sets the others to
  0; it is its own adjoint."""

  def keep(x: Images) -> Images:
    return jnp.where(seen, x, 0.0)

  return Operator(apply=keep, adjoint=keep)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measurement:
  """Measured values of a batch of images.

  Attributes:
    operator: A.
    values: y `(b, ...)`, with the shape of A's output.
    noise: the noise model of n.
  """

  operator: Operator
  values: Values
  noise: GaussianNoise = EXACT
