"""Building blocks of the convolutional networks, on images `(b, h, w, c)`."""

from __future__ import annotations

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from jaxgen.config.denoisers import UNetConfig
from jaxgen.config.models import ConvAutoencoderConfig
from jaxgen.config.networks import Padding
from jaxgen.config.stages import Remat
from jaxgen.models import layers
from jaxgen.models.layers import ZEROS, Dense, SelfAttention
from jaxgen.typing import Array

ConvOptions = UNetConfig | ConvAutoencoderConfig
Resample = Literal["", "downsample", "upsample"]
SKIP = 0.5**0.5  # keeps the variance of a sum of two


def conv(
  features: int,
  name: str,
  *,
  padding: Padding,
  dtype: DTypeLike,
  zero_init: bool = False,
) -> nn.Conv:
  """A 3 x 3 convolution; circular padding wraps around the image."""
  return nn.Conv(
    features,
    (3, 3),
    padding={"zeros": "SAME", "circular": "CIRCULAR"}[padding],
    dtype=dtype,
    kernel_init=ZEROS if zero_init else nn.Conv.kernel_init,
    name=name,
  )


def downsample(
  x: Float[Array, "b h w c"],
) -> Float[Array, "b {x.shape[1]//2} {x.shape[2]//2} c"]:
  """Means of 2 x 2 pixels."""
  b, h, w, c = x.shape
  return x.reshape(b, h // 2, 2, w // 2, 2, c).mean(axis=(2, 4), dtype=x.dtype)


def upsample(
  x: Float[Array, "b h w c"],
) -> Float[Array, "b {2*x.shape[1]} {2*x.shape[2]} c"]:
  """Each pixel repeated as 2 x 2 pixels."""
  return x.repeat(2, axis=1).repeat(2, axis=2)


class GroupNorm(nn.Module):
  """Group normalization (arXiv:1803.08494) with a learned gain and offset, and
  optionally a scale and a shift for each image.

  Statistics are float32. The rest is one multiplication and one addition per
  element, which XLA fuses with the operations that follow.
  """

  groups: int = 32

  @nn.compact
  def __call__(
    self,
    x: Float[Array, "b h w c"],
    *,
    scale: Float[Array, "b c"] | None = None,
    shift: Float[Array, "b c"] | None = None,
  ) -> Float[Array, "b h w c"]:
    """`x` normalized; a `scale` and a `shift` of 0 change nothing."""
    b, c = x.shape[0], x.shape[-1]
    gain = self.param("scale", nn.initializers.ones, (c,))[None]
    offset = self.param("bias", ZEROS, (c,))[None]
    most = min(self.groups, c // 4)  # at least four channels per group
    groups = next(g for g in range(most, 0, -1) if c % g == 0)
    mean, rate = _statistics(x, groups)
    if scale is not None and shift is not None:
      gain, offset = gain * (1 + scale), offset * (1 + scale) + shift
    a = (rate * gain).reshape(b, 1, 1, c)
    d = (offset - mean * rate * gain).reshape(b, 1, 1, c)
    return (x.astype(jnp.float32) * a + d).astype(x.dtype)


def _statistics(
  x: Float[Array, "b h w c"], groups: int
) -> tuple[Float[Array, "b c"], Float[Array, "b c"]]:
  """Mean and inverse standard deviation of each channel's group."""
  b, c = x.shape[0], x.shape[-1]
  y = x.astype(jnp.float32).reshape(b, -1, c)
  sums = jnp.stack([y.mean(1), jnp.square(y).mean(1)])
  sums = sums.reshape(2, b, groups, -1).mean(-1)
  mean, square = sums.repeat(c // groups, axis=-1)
  return mean, jax.lax.rsqrt(jnp.maximum(square - mean**2, 0) + 1e-5)


class ResBlock(nn.Module, kw_only=True):
  """A residual block of the DDPM++ family as in EDM: adaptive group norm,
  optional resampling and attention, and zero-initialized last weights.

  Dividing sums by sqrt(2) preserves the variance (Song et al. 2021, table 2).
  """

  options: ConvOptions
  features: int
  resample: Resample = ""
  head_dim: int = 0  # 0: no attention
  dtype: DTypeLike

  @nn.compact
  def __call__(
    self,
    x: Float[Array, "b h w c"],
    embedding: Float[Array, "b e"] | None,
    train: bool,
  ) -> Float[Array, "b h2 w2 d"]:
    """An image of `features` channels; `embedding` is None in networks without
    conditions."""
    resample = {"": lambda x: x, "downsample": downsample, "upsample": upsample}
    change = resample[self.resample]
    y = change(nn.silu(GroupNorm(name="norm_in")(x)))
    x = change(x)
    y = self._conv("conv_in")(y)
    film = {}
    if embedding is not None:
      film = Dense(2 * self.features, kernel_init=ZEROS, name="film")(embedding)
      film = dict(zip(("scale", "shift"), jnp.split(film, 2, -1), strict=True))
    y = nn.silu(GroupNorm(name="norm_out")(y, **film))
    y = nn.Dropout(self.options.dropout, deterministic=not train)(y)
    y = self._conv("conv_out", zero_init=True)(y)
    if x.shape[-1] != self.features:
      x = Dense(self.features, dtype=self.dtype, name="skip")(x)
    x = (x + y) * SKIP
    return self._attend(x) if self.head_dim else x

  def _conv(self, name: str, *, zero_init: bool = False) -> nn.Conv:
    return conv(
      self.features,
      name,
      padding=self.options.padding,
      dtype=self.dtype,
      zero_init=zero_init,
    )

  def _attend(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    b, h, w, c = x.shape
    attention = SelfAttention(c // self.head_dim, self.dtype, name="attention")
    y = GroupNorm(name="norm_attention")(x).reshape(b, h * w, c)
    return (x + attention(y).reshape(x.shape)) * SKIP


class Convolutional(nn.Module, kw_only=True):
  """A network of convolutions and residual blocks that share padding, dropout
  and precision."""

  options: ConvOptions
  remat: Remat
  dtype: DTypeLike

  def conv(
    self, features: int, name: str, *, zero_init: bool = False
  ) -> nn.Conv:
    """A convolution with the network's padding and precision."""
    return conv(
      features,
      name,
      padding=self.options.padding,
      dtype=self.dtype,
      zero_init=zero_init,
    )

  def res_block(
    self,
    features: int,
    name: str,
    *,
    resample: Resample = "",
    head_dim: int = 0,
  ) -> ResBlock:
    """A residual block with the network's padding, dropout and precision."""
    return layers.remat(ResBlock, self.remat, static=3)(
      options=self.options,
      features=features,
      resample=resample,
      head_dim=head_dim,
      dtype=self.dtype,
      name=name,
    )
