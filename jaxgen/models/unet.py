"""The U-Net of the EDM and DDPM++ family, as the inner network of a denoiser.

    conv -> down the levels -> bottom -> up the levels -> norm, conv

Levels are counted from the bottom (0, the lowest resolution), and parameter
names contain no resolution, so that they stay valid as a network grows
outwards. Convolutions and attention take any number of pixels: the same weights
run at every resolution divisible by 2^(levels - 1).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Float

from jaxgen.config.denoisers import UNetConfig
from jaxgen.models.conditioning import (
  Cond,
  Conditioning,
  concat_images,
)
from jaxgen.models.conv import Convolutional, GroupNorm, Resample
from jaxgen.models.network import DenoisingNetwork
from jaxgen.models.resampling import TransferRules, add_inputs
from jaxgen.typing import Array

Images = Float[Array, "b h w c"]
Features = Float[Array, "b h w d"]
NewFeatures = Float[Array, "b new_h new_w new_d"]
Skips = list[Float[Array, "b _ _ _"]]  # skip connections
Block = Callable[..., NewFeatures]  # a residual block of a level, by its name


class UNetBase(Convolutional, DenoisingNetwork, kw_only=True):
  """A denoising network with the options of a U-Net; the shapes of its
  parameters do not depend on the resolution."""

  options: UNetConfig

  def rules(self, old: UNetBase) -> TransferRules:
    """The rule for more channels of the image condition: they are ignored at
    first."""
    rule = functools.partial(add_inputs, num=self.new_channels(old))
    return {name: rule for name in ("conv_in/kernel", "core/conv_in/kernel")}

  def blocks(
    self, c_noise: Float[Array, " b"], cond: Cond, side: int, train: bool
  ) -> Block:
    """The maker of blocks that are told noise level and conditions."""
    options = self.options
    embedding = Conditioning(
      width=4 * options.width,
      condition_sizes=self.condition_sizes,
      highest=options.time_frequency,
      name="conditioning",
    )(c_noise, cond, side)

    def block(
      x: Features,
      name: str,
      *,
      level: int,
      resample: Resample = "",
      attention: bool = False,
    ) -> NewFeatures:
      features = options.width * options.multipliers[-1 - level]
      res_block = self.res_block(
        features,
        f"level_{level}_{name}",
        resample=resample,
        head_dim=options.head_dim * attention,
      )
      return res_block(x, embedding, train)

    return block

  def way_down(self, block: Block, x: Features) -> Skips:
    """The skip connections, and last the output of the bottom blocks."""
    options, skips = self.options, [x]
    for level in reversed(range(len(options.multipliers))):
      if level < len(options.multipliers) - 1:
        x = block(x, "downsample", level=level + 1, resample="downsample")
        skips.append(x)
      for i in range(options.num_res_blocks):
        attention = options.attention[-1 - level]
        x = block(x, f"down_{i}", level=level, attention=attention)
        skips.append(x)
    x = block(x, "bottom_0", level=0, attention=True)
    return [*skips, block(x, "bottom_1", level=0)]


class UNet(UNetBase, kw_only=True):
  """`(x (b, h, w, channels), c_noise (b,), cond)` to the shape of `x`."""

  def __call__(
    self,
    x: Images,
    c_noise: Float[Array, " b"],
    cond: Cond = None,
    train: bool = False,
    *,
    controls: Sequence[Float[Array, "b _ _ _"]] = (),
  ) -> Images:
    """The output of the network; `controls` of a `models.control.ControlUNet`
    are added to the skip connections and the bottom."""
    return self.with_features(x, c_noise, cond, train, controls=controls)[0]

  @nn.compact
  def with_features(
    self,
    x: Images,
    c_noise: Float[Array, " b"],
    cond: Cond,
    train: bool,
    *,
    extra: Float[Array, "b h w width"] | float = 0.0,
    controls: Sequence[Float[Array, "b _ _ _"]] = (),
  ) -> tuple[Images, Features]:
    """The output, and the features from which it is projected; `extra` is
    added to the features after the first convolution."""
    block = self.blocks(c_noise, cond, x.shape[1], train)
    x = concat_images(x, cond, self.image_conditions)
    x = self.conv(self.options.width, "conv_in")(x) + extra
    features = self.way_down(block, x)
    if controls:
      features = [x + y for x, y in zip(features, controls, strict=True)]
    x = self._up(block, features.pop(), features)
    y = nn.silu(GroupNorm(name="norm_out")(x))
    return self.conv(self.channels, "conv_out", zero_init=True)(y), x

  def _up(self, block: Block, x: Features, skips: Skips) -> NewFeatures:
    options = self.options
    for level in range(len(options.multipliers)):
      if level:
        x = block(x, "upsample", level=level - 1, resample="upsample")
      for i in range(options.num_res_blocks + 1):
        x = jnp.concatenate([x, skips.pop()], axis=-1)
        last = i == options.num_res_blocks
        attention = last and options.attention[-1 - level]
        x = block(x, f"up_{i}", level=level, attention=attention)
    return x


def core(outer: UNetBase, resolution: int) -> UNet:
  """The core U-Net of another network, with that network's options."""
  return UNet(
    options=outer.options,
    resolution=resolution,
    channels=outer.channels,
    condition_sizes=outer.condition_sizes,
    image_conditions=outer.image_conditions,
    remat=outer.remat,
    dtype=outer.dtype,
    name="core",
  )
