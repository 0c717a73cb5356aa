"""A camera: from digital numbers (DN) to electrons, and back.

    DN = gain (Poisson(rate) + N(0, read_noise^2)) + black

The gain is in DN per electron; photographers and FITS headers often state its
inverse. All other code computes in electrons. A value that says nothing, of a
saturated or dead pixel, is NaN in electrons; values below 0 are right as they
are and never clipped.
"""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Key

from jaxgen.restoration import poisson_gaussian
from jaxgen.typing import Array

GAIN_UNIT = "DN per electron"
PerPixel = float | np.ndarray  # a number, or an array that broadcasts
Values = Float[Array, "*m"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Camera:
  """The calibration of a camera.

  Attributes:
    gain: DN per electron.
    read_noise: standard deviation of the read noise in electrons.
    black: DN of no electrons.
    white: lowest DN of saturated pixels; infinite: none is saturated.
    dead: where pixels say nothing, as booleans.
  """

  gain: PerPixel
  read_noise: PerPixel
  black: PerPixel = 0.0
  white: PerPixel = float("inf")
  dead: bool | np.ndarray = False

  def __post_init__(self):
    """Raise a ValueError for numbers that no camera has."""
    for name, low in (("gain", 0.0), ("white", self.black)):
      value = getattr(self, name)
      if not np.all(np.asarray(value) > low):
        raise ValueError(f"{name}: expected above {low}, got {value}")
    if not np.all(np.asarray(self.read_noise) >= 0):
      raise ValueError(f"read_noise: expected 0 or more, got {self.read_noise}")

  def electrons(self, numbers: Values) -> Values:
    """Digital numbers in electrons; NaN where they say nothing."""
    unseen = jnp.isnan(numbers) | _fit(self.dead, numbers)
    unseen = unseen | (numbers >= _fit(self.white, numbers))
    signal = numbers - _fit(self.black, numbers)
    return jnp.where(unseen, jnp.nan, signal / _fit(self.gain, numbers))

  def numbers(self, electrons: Values) -> Values:
    """Electrons in digital numbers, at most `white`; not rounded."""
    signal = electrons * _fit(self.gain, electrons)
    level = signal + _fit(self.black, electrons)
    return jnp.minimum(level, _fit(self.white, electrons))

  def simulate(self, key: Key[Array, ""], rate: Values) -> Values:
    """Random digital numbers of rates in electrons."""
    values = poisson_gaussian.simulate(key, rate, read_noise=self.read_noise)
    return self.numbers(values)


def _fit(value: PerPixel | bool, like: Values) -> Array:
  """A number or array in the shape of `like`."""
  return jnp.broadcast_to(jnp.asarray(value), like.shape)
