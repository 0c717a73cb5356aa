"""Building blocks of the convolutional networks, on images `(b, h, w, c)`."""

from __future__ import annotations

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.config.fields import UnitInterval
from jaxgen.config.stages import Remat
from jaxgen.models import layers
from jaxgen.models.layers import ZEROS, Dense, SelfAttention
from jaxgen.typing import Array

Padding = Literal["zeros", "circular"]
SKIP = 0.5**0.5  # keeps the variance of a sum of two


def conv(features: int, padding: Padding, dtype: Any, **options) -> nn.Conv:
  """A 3 x 3 convolution; with circular padding the image is a torus."""
  edge = {"zeros": "SAME", "circular": "CIRCULAR"}[padding]
  return nn.Conv(features, (3, 3), padding=edge, dtype=dtype, **options)


def halve(x: Array) -> Array:
  """Means of 2 x 2 pixels."""
  b, h, w, c = x.shape
  return x.reshape(b, h // 2, 2, w // 2, 2, c).mean(axis=(2, 4), dtype=x.dtype)


def double(x: Array) -> Array:
  """Each pixel four times."""
  return x.repeat(2, axis=1).repeat(2, axis=2)


class GroupNorm(nn.Module):
  """Group normalisation (arXiv:1803.08494) with a learned gain and offset, on
  top of which a condition may put a scale and a shift for each image.

  Statistics are float32. Everything after them is one multiplication and one
  addition for each number, which XLA fuses with what follows.
  """

  groups: int = 32

  @nn.compact
  def __call__(
    self, x: Array, scale: Array | None = None, shift: Array | None = None
  ) -> Array:
    """`x` `(b, h, w, c)`; `scale` and `shift` `(b, c)`, 0 changes nothing."""
    b, c = x.shape[0], x.shape[-1]
    gain = self.param("scale", nn.initializers.ones, (c,))
    offset = self.param("bias", ZEROS, (c,))
    most = min(self.groups, c // 4)  # of at least four channels each
    groups = next(g for g in range(most, 0, -1) if c % g == 0)
    mean, rate = _statistics(x, groups)
    if scale is not None and shift is not None:
      gain, offset = gain * (1 + scale), offset * (1 + scale) + shift
    a = (rate * gain).reshape(b, 1, 1, c)
    d = (offset - mean * rate * gain).reshape(b, 1, 1, c)
    return (x.astype(jnp.float32) * a + d).astype(x.dtype)


def _statistics(x: Array, groups: int) -> tuple[Array, Array]:
  """Mean and 1 / standard deviation of each channel's group, `(b, c)`."""
  b, c = x.shape[0], x.shape[-1]
  y = x.astype(jnp.float32).reshape(b, -1, c)
  sums = jnp.stack([y.mean(1), jnp.square(y).mean(1)])
  sums = sums.reshape(2, b, groups, -1).mean(-1)
  mean, square = sums.repeat(c // groups, axis=-1)
  return mean, jax.lax.rsqrt(jnp.maximum(square - mean**2, 0) + 1e-5)


class ResBlock(nn.Module):
  """A residual block of the DDPM++ family as EDM has it: adaptive group norm,
  resampling inside, attention after it, and a zero start.

  Dividing sums by sqrt(2) keeps the variance (Song et al. 2021, table 2).
  """

  features: int
  padding: Padding = "zeros"
  dropout: float = 0.0
  resample: Literal["", "halve", "double"] = ""
  head_dim: int = 0  # 0: no attention
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: Array, embedding: Array | None, train: bool) -> Array:
    """`x` `(b, h, w, c)`, `embedding` `(b, e)`, or None where there is no
    condition, to `(b, h', w', features)`."""
    change = {"": lambda x: x, "halve": halve, "double": double}[self.resample]
    y = change(nn.silu(GroupNorm(name="norm_in")(x)))
    x = change(x)
    y = conv(self.features, self.padding, self.dtype, name="conv_in")(y)
    film: Any = ()
    if embedding is not None:
      film = Dense(2 * self.features, kernel_init=ZEROS, name="film")(embedding)
      film = jnp.split(film, 2, axis=-1)
    y = nn.silu(GroupNorm(name="norm_out")(y, *film))
    y = nn.Dropout(self.dropout, deterministic=not train)(y)
    y = conv(
      self.features,
      self.padding,
      self.dtype,
      kernel_init=ZEROS,
      name="conv_out",
    )(y)
    if x.shape[-1] != self.features:
      x = Dense(self.features, dtype=self.dtype, name="skip")(x)
    x = (x + y) * SKIP
    return self._attend(x) if self.head_dim else x

  def _attend(self, x: Array) -> Array:
    b, h, w, c = x.shape
    attention = SelfAttention(c // self.head_dim, self.dtype, name="attention")
    y = GroupNorm(name="norm_attention")(x).reshape(b, h * w, c)
    return (x + attention(y).reshape(x.shape)) * SKIP


class Convolutional(nn.Module):
  """What all networks of residual blocks are told."""

  dropout: UnitInterval = 0.0
  padding: Padding = "zeros"  # circular: seamless tiles
  remat: Remat = "none"
  dtype: Any = jnp.float32

  def conv(self, features: int, name: str, **options: Any) -> nn.Conv:
    """A convolution with the network's padding and precision."""
    return conv(features, self.padding, self.dtype, name=name, **options)

  def res_block(self, features: int, name: str, **options: Any) -> ResBlock:
    """A residual block with the network's padding, dropout and precision."""
    return layers.remat(ResBlock, self.remat, 3)(
      features=features,
      padding=self.padding,
      dropout=self.dropout,
      dtype=self.dtype,
      name=name,
      **options,
    )
