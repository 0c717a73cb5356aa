"""Three numbers of a measurement, as a condition of a denoiser.

- log s, where s is the number of electrons for one unit of the image, half of
  those of white above black;
- read noise / s, the standard deviation of the read noise;
- background / s, the electrons of black.

All are of the values that are seen, on average. A noise map says the noise of
each pixel already, and with it nearly all of this: what the numbers add has not
been measured.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
from jaxtyping import Float

from jaxgen.restoration.counts import Counts, Values
from jaxgen.typing import Array, Conditions

NAME = "sensor"  # of the condition
NUM = 3


def numbers(counts: Counts) -> Float[Array, "b 3"]:
  """The numbers of each image; not finite if nothing is seen of it."""
  axes = tuple(range(1, counts.values.ndim))

  def mean(x: Values) -> Float[Array, " b"]:
    return jnp.sum(x * counts.seen, axes) / jnp.sum(counts.seen, axes)

  scale = mean(counts.scale)
  black = mean(counts.offset) - scale
  read_noise = jnp.sqrt(mean(counts.read_variance))
  return jnp.stack([jnp.log(scale), read_noise / scale, black / scale], 1)


def told(counts: Counts, cond: Conditions) -> Conditions:
  """Conditions with the numbers, which denoisers without this condition
  ignore; of guided denoisers those of each term."""
  if cond is None or isinstance(cond, Mapping):
    return {**(cond or {}), NAME: numbers(counts)}
  return tuple(told(counts, term) for term in cond)
