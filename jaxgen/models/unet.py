"""The U-Net of the EDM and DDPM++ family, as the inner network of a denoiser.

    conv -> down the levels -> bottom -> up the levels -> norm, conv

Levels are counted from the bottom (0, the smallest images), so that a network
that grows outwards keeps its parameters' names; no resolution stands in them.
Fully convolutional but for the attention, which takes any number of pixels: one
set of weights runs at every resolution that halves often enough.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxgen.config.fields import NonNegativeInt, PositiveInt
from jaxgen.models.conditioning import Conditioning, concat_condition
from jaxgen.models.conv import Convolutional, GroupNorm
from jaxgen.models.layers import ZEROS
from jaxgen.models.resampling import Rules
from jaxgen.typing import Array


class UNetFields(Convolutional):
  """The fields of a U-Net, for networks that have one inside."""

  resolution: int = 32  # of the training; others work too
  channels: int = 3
  sizes: tuple[tuple[str, int], ...] = ()  # of the conditions
  cond_channels: NonNegativeInt = (
    0  # channels of an image as a condition, cond["dense"]
  )
  width: PositiveInt = 64
  multipliers: tuple[PositiveInt, ...] = (
    1,
    2,
    2,
  )  # of the width, outermost first
  num_res_blocks: PositiveInt = (
    2  # on the way down at each level; one more on the way up
  )
  attention: tuple[bool, ...] = (False, True, False)  # for each of these
  head_dim: PositiveInt = 64

  def rules(self, old: UNetFields) -> Rules:
    """From the parameters of a model of another resolution: as they are."""
    return {}


class UNet(UNetFields):
  """`(x (b, h, w, channels), c_noise (b,), cond)` to the shape of `x`."""

  @classmethod
  def within(cls, outer: UNetFields, resolution: int, **module: Any) -> UNet:
    """The U-Net that another network has inside."""
    names = {x.name for x in dataclasses.fields(UNetFields)}  # pyright: ignore
    names -= {"parent", "name"}
    fields: Any = {k: getattr(outer, k) for k in names}
    return cls(**fields | {"resolution": resolution} | module)

  def __call__(
    self, x: Array, c_noise: Array, cond: Any = None, train: bool = False
  ) -> Array:
    return self.inside(x, c_noise, cond, train)[0]

  @nn.compact
  def inside(
    self,
    x: Array,
    c_noise: Array,
    cond: Any = None,
    train: bool = False,
    extra: Array | float = 0.0,
  ) -> tuple[Array, Array]:
    """The answer, and the features `(b, h, w, d)` that it is read from; `extra`
    `(b, h, w, width)` is added to those that the network begins with."""
    vector = Conditioning(4 * self.width, self.sizes, name="conditioning")
    embedding = vector(c_noise, cond, x.shape[1])

    def block(level: int, name: str, x: Array, **options: Any) -> Array:
      outer = len(self.multipliers) - 1 - level
      options.setdefault("head_dim", self.head_dim * self.attention[outer])
      features = self.width * self.multipliers[outer]
      made = self.res_block(features, f"level_{level}_{name}", **options)
      return made(x, embedding, train)

    x = concat_condition(x, cond, self.cond_channels)
    x = self.conv(self.width, "conv_in")(x) + extra
    x = self._up(block, *self._down(block, x))
    y = nn.silu(GroupNorm(name="norm_out")(x))
    return self.conv(self.channels, "conv_out", kernel_init=ZEROS)(y), x

  def _down(self, block, x: Array) -> tuple[Array, list[Array]]:
    """The bottom's input, and what the way up is reminded of."""
    kept = [x]
    for level in reversed(range(len(self.multipliers))):
      if level < len(self.multipliers) - 1:
        x = block(level + 1, "halve", x, resample="halve", head_dim=0)
        kept.append(x)
      for i in range(self.num_res_blocks):
        x = block(level, f"down_{i}", x)
        kept.append(x)
    return x, kept

  def _up(self, block, x: Array, kept: list[Array]) -> Array:
    x = block(0, "bottom_0", x, head_dim=self.head_dim)
    x = block(0, "bottom_1", x, head_dim=0)
    for level in range(len(self.multipliers)):
      if level:
        x = block(level - 1, "double", x, resample="double", head_dim=0)
      for i in range(self.num_res_blocks + 1):
        x = jnp.concatenate([x, kept.pop()], axis=-1)
        last: Any = {} if i == self.num_res_blocks else {"head_dim": 0}
        x = block(level, f"up_{i}", x, **last)
    return x
