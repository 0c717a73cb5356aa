"""Networks that enlarge images, each around bicubic interpolation.

They map small images `(b, h, w, c)` in [-1, 1] to `(b, f h, f w, c)`, as the
bicubic enlargement plus what the layers add. The last layer starts at zero, so
an untrained network is the bicubic enlargement. All sizes are allowed; the
radius of the receptive field is `options.reach(factor)`.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jax.typing import DTypeLike
from jaxtyping import Float

from jaxgen import bicubic
from jaxgen.config.upscalers import (
  CompactConfig,
  EDSRConfig,
  RRDBConfig,
  enlargements,
)
from jaxgen.models import layers
from jaxgen.models.layers import ZEROS
from jaxgen.models.network import Network
from jaxgen.typing import Array

Small = Float[Array, "b h w c"]
Features = Float[Array, "b h w d"]
Enlarged = Float[Array, "b high wide c"]
LEAK = 0.2  # slope of RRDB's activations for negative values


class Upscaler(Network, kw_only=True):
  """A network that adds to the bicubic enlargement.

  Attributes:
    factor: the enlargement f.
  """

  factor: int

  @nn.compact
  def __call__(self, low: Small, train: bool = False) -> Enlarged:
    height, width = (self.factor * side for side in low.shape[1:3])
    smooth = bicubic.resize(low, height, width)
    return smooth + self.detail(low).astype(jnp.float32)

  def detail(self, low: Small) -> Enlarged:
    """What the layers add; a compact method."""
    raise NotImplementedError

  def conv(
    self, features: int, name: str, *, init: Initializer | None = None
  ) -> nn.Conv:
    """A convolution with the network's precision."""
    return _conv(features, name, self.dtype, init)


class Compact(Upscaler, kw_only=True):
  """Convolutions at the size of the small image."""

  options: CompactConfig

  def detail(self, low: Small) -> Enlarged:
    """PReLUs between all convolutions, and a single pixel shuffle."""
    x = low
    for i in range(self.options.depth + 1):
      x = self.conv(self.options.width, f"conv_{i}")(x)
      x = nn.PReLU(name=f"prelu_{i}", negative_slope_init=0.25)(x)
    size = self.factor**2 * low.shape[-1]
    return shuffle(self.conv(size, "conv_out", init=ZEROS)(x), self.factor)


class EDSR(Upscaler, kw_only=True):
  """Residual blocks, then pixel shuffles that start without checkerboards."""

  options: EDSRConfig

  def detail(self, low: Small) -> Enlarged:
    """Head, residual blocks, and convolutions that enlarge."""
    options, width = self.options, self.options.width
    block = layers.remat(PlainBlock, self.remat, static=2)
    head = x = self.conv(width, "conv_in")(low)
    for i in range(options.num_res_blocks):
      x = block(options=options, dtype=self.dtype, name=f"block_{i}")(x, True)
    x = head + self.conv(width, "conv_body")(x)
    for i, step in enumerate(enlargements(self.factor)):
      init = icnr(nn.initializers.lecun_normal(), step)
      x = self.conv(step**2 * width, f"upsample_{i}", init=init)(x)
      x = shuffle(x, step)
    return self.conv(low.shape[-1], "conv_out", init=ZEROS)(x)


class RRDB(Upscaler, kw_only=True):
  """Dense blocks, then pixels repeated and smoothed by convolutions."""

  options: RRDBConfig

  def detail(self, low: Small) -> Enlarged:
    """Head, dense blocks, and convolutions that enlarge."""
    options, width = self.options, self.options.width
    block = layers.remat(DenseBlocks, self.remat, static=2)
    head = x = self.conv(width, "conv_in")(low)
    for i in range(options.num_res_blocks):
      x = block(options=options, dtype=self.dtype, name=f"block_{i}")(x, True)
    x = head + self.conv(width, "conv_body")(x)
    for i, step in enumerate(enlargements(self.factor)):
      x = x.repeat(step, axis=1).repeat(step, axis=2)
      x = nn.leaky_relu(self.conv(width, f"upsample_{i}")(x), LEAK)
    x = nn.leaky_relu(self.conv(width, "conv_full")(x), LEAK)
    return self.conv(low.shape[-1], "conv_out", init=ZEROS)(x)


class PlainBlock(nn.Module, kw_only=True):
  """A residual block of two convolutions."""

  options: EDSRConfig
  dtype: DTypeLike

  @nn.compact
  def __call__(self, x: Features, train: bool) -> Features:
    y = nn.relu(_conv(x.shape[-1], "conv_0", self.dtype)(x))
    y = _conv(x.shape[-1], "conv_1", self.dtype)(y)
    return x + self.options.residual_scale * y


class DenseBlocks(nn.Module, kw_only=True):
  """Three dense blocks of five convolutions, and a residual around all."""

  options: RRDBConfig
  dtype: DTypeLike

  @nn.compact
  def __call__(self, x: Features, train: bool) -> Features:
    y = x
    for i in range(3):
      y = y + self.options.residual_scale * self._dense(y, i)
    return x + self.options.residual_scale * y

  def _dense(self, x: Features, block: int) -> Features:
    init = nn.initializers.variance_scaling(0.02, "fan_in", "normal")
    features = [x]
    for i in range(5):
      size = self.options.growth if i < 4 else x.shape[-1]
      layer = _conv(size, f"conv_{block}_{i}", self.dtype, init)
      y = layer(jnp.concatenate(features, -1))
      features.append(nn.leaky_relu(y, LEAK) if i < 4 else y)
    return features[-1]


def shuffle(x: Features, factor: int) -> Enlarged:
  """Channels `(b, h, w, f f c)` as pixels `(b, f h, f w, c)`."""
  b, h, w, _ = x.shape
  x = x.reshape(b, h, w, factor, factor, -1).swapaxes(2, 3)
  return x.reshape(b, h * factor, w * factor, -1)


def icnr(init: Initializer, factor: int) -> Initializer:
  """The initializer of a convolution before `shuffle`, by which the pixels made
  of one are equal at first (Aitken et al. 2017, arXiv:1707.02937)."""

  def repeated(
    key: Array, shape: Any, dtype: Any = None, out_sharding: Any = None
  ) -> Array:
    small = (*shape[:-1], shape[-1] // factor**2)
    kernel = init(key, small, dtype or jnp.float32)
    return jnp.tile(kernel, factor**2)

  return repeated


def _conv(
  features: int,
  name: str,
  dtype: DTypeLike,
  init: Initializer | None = None,
) -> nn.Conv:
  """A 3 x 3 convolution; beyond the borders there are zeros."""
  init = init or nn.Conv.kernel_init
  return nn.Conv(features, (3, 3), dtype=dtype, kernel_init=init, name=name)
