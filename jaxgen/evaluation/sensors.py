"""Simulated sensors for the evaluation of restoration."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Key

from jaxgen.restoration import counts, poisson_gaussian
from jaxgen.typing import Array, Images

PHOTONS = (2.0, 5.0, 20.0, 100.0, 1000.0)  # that are measured by default
LOWEST_RATE = 0.05  # electrons, for variances


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Sensor:
  """The exposure of a simulated image, in electrons.

  Attributes:
    photons: electrons at white (1) above those at black (-1).
    background: electrons at black.
    read_noise: standard deviation of the read noise.
  """

  photons: float | Array
  background: float | Array = 1.0
  read_noise: float | Array = 1.0

  @property
  def scale(self) -> float | Array:
    """Electrons for one unit of the image."""
    return self.photons / 2

  @property
  def offset(self) -> float | Array:
    """Electrons of an image of zeros."""
    return self.photons / 2 + self.background

  def rates(self, images: Images | np.ndarray) -> Images | np.ndarray:
    """The electrons that images expect."""
    return self.scale * images + self.offset

  def measured(self, values: Images) -> counts.Counts:
    """Counts of this sensor in units of the image."""
    return counts.measured(
      values,
      scale=self.scale,
      offset=self.offset,
      read_noise=self.read_noise,
    )

  def images(self, rates: np.ndarray) -> np.ndarray:
    """Rates in electrons as images."""
    return ((rates - self.offset) / self.scale).astype(np.float32)


@jax.jit
def simulate(sensor: Sensor, images: Images, keys: Key[Array, " b"]) -> Images:
  """Counts of images, each by its key."""

  def one(image: Array, key: Key[Array, ""]) -> Array:
    rate = jnp.maximum(sensor.rates(image), 0.0)
    return poisson_gaussian.simulate(key, rate, read_noise=sensor.read_noise)

  return jax.vmap(one)(images, keys)


def chi_squared(
  sensor: Sensor, counts: np.ndarray, images: np.ndarray
) -> Float[np.ndarray, " n"]:
  """The mean squared deviation of counts from those of images, in variances of
  these, of each image; 1 for the truth and for samples of its posterior."""
  rate = sensor.rates(np.clip(images, -1, None))
  rate = np.maximum(rate, LOWEST_RATE)
  squares = (counts - rate) ** 2 / (rate + sensor.read_noise**2)
  return np.mean(squares, axis=tuple(range(1, images.ndim)))
