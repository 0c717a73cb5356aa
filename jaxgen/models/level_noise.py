r"""The noise of an image, even or not, seen at two resolutions.

A noisy image is x = y + s n with n standard normal. In the units of a network,
u = c_in x and D = c_skip x + c_out F (`diffusion.edm`), clean image and noise
are a rotation of input and output: with d = sigma_data,

    D / d       = cos u + sin F        cos = d / sqrt(s^2 + d^2)
    (x - D) / s = sin u - cos F        sin = s / sqrt(s^2 + d^2)

An area average x' of x has independent noise again, of a variance that is the
average of s^2 with squared weights, r^2 s^2 for even noise. Given the noise n'
of x', the mean of n is r (r s / s') n'. So a denoiser of x' tells F of x:

    F = sin Up D' / d - cos r (r s / Up s') Up n'

which is bounded for any unevenness.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Float

from jaxgen.diffusion.edm import NOISE_MAP, per_image
from jaxgen.models.conditioning import Cond
from jaxgen.models.resampling import noise_matrix, remaining_noise
from jaxgen.typing import Array

Images = Float[Array, "b h w c"]
Resized = Float[Array, "b _ _ c"]
Factors = Float[Array, "b _ _ _"]  # of an image or of its pixels
Vector = Float[Array, " b"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LevelNoise:
  """The noise of an image at one resolution.

  Attributes:
    c_noise: mean of log sigma / 4.
    uneven: deviations of log sigma from its mean; None: there are none.
  """

  c_noise: Vector
  uneven: Images | None

  @classmethod
  def told(cls, c_noise: Vector, cond: Cond) -> LevelNoise:
    """The noise that a network is told; see `diffusion.edm.precondition`."""
    return cls(c_noise=c_noise, uneven=(cond or {}).get(NOISE_MAP))

  @property
  def sigma(self) -> Factors:
    """The noise levels."""
    mean = jnp.exp(4 * per_image(self.c_noise))
    return mean if self.uneven is None else mean * jnp.exp(self.uneven)

  def tell(self, cond: Cond) -> Cond:
    """Conditions with this noise."""
    if self.uneven is None:
      return cond
    return {**(cond or {}), NOISE_MAP: self.uneven}

  def below(self, side: int, small: int) -> LevelNoise:
    """The noise of the area average of `side` to `small` pixels."""
    even = self.c_noise + jnp.log(remaining_noise(side, small)) / 4
    if self.uneven is None:
      return LevelNoise(c_noise=even, uneven=None)
    m = noise_matrix(side, small)
    variance = jnp.einsum("ai,bj,nijc->nabc", m, m, jnp.exp(2 * self.uneven))
    log = jnp.log(variance) / 2
    mean = jnp.mean(log, (1, 2, 3))
    return LevelNoise(c_noise=even + mean / 4, uneven=log - per_image(mean))

  def rotation(self, sigma_data: float) -> tuple[Factors, Factors]:
    """cos and sin."""
    sigma = self.sigma
    length = jnp.sqrt(sigma**2 + sigma_data**2)
    return sigma_data / length, sigma / length


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
  """The step from a resolution to the next lower one.

  Attributes:
    noise: the noise of the image.
    side: its side in pixels.
    small: the lower side.
    sigma_data: standard deviation of clean images.
    resize: images to a side: area averages or interpolation.
  """

  noise: LevelNoise
  side: int
  small: int
  sigma_data: float
  resize: Callable[[Images, int], Resized]

  @functools.cached_property
  def below(self) -> LevelNoise:
    """The noise of the smaller image."""
    return self.noise.below(self.side, self.small)

  def shrink(self, u: Images) -> Resized:
    """The network's input at the lower resolution."""
    cos, _ = self.noise.rotation(self.sigma_data)
    below, _ = self.below.rotation(self.sigma_data)
    return below * self.resize(u / cos, self.small)

  def enlarge(self, u: Images, f: Images) -> Resized:
    """The network's output, from input and output at the lower resolution."""
    cos, sin = self.below.rotation(self.sigma_data)
    clean, noise = cos * u + sin * f, sin * u - cos * f
    cos, sin = self.noise.rotation(self.sigma_data)
    up = lambda x: self.resize(x, self.side)  # noqa: E731
    return sin * up(clean) - cos * self._share() * up(noise)

  def _share(self) -> Factors | float:
    """The noise of a pixel for unit noise of its area average."""
    ratio = remaining_noise(self.side, self.small)
    if self.noise.uneven is None:
      return ratio
    around = self.resize(self.below.sigma, self.side)
    return ratio**2 * self.noise.sigma / around
