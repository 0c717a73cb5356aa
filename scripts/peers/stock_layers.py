"""flax's own layers in place of those of `jaxgen.models.conv`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxgen.models import conv


class StockNorm(nn.Module):
  """flax's group norm, followed by the condition's scale and shift."""

  @nn.compact
  def __call__(self, x, *, scale=None, shift=None):
    y = nn.GroupNorm(num_groups(x.shape[-1]), epsilon=1e-5)(x)
    if scale is None or shift is None:
      return y
    return y * (1 + scale[:, None, None]) + shift[:, None, None]


class StockAttention(nn.Module):
  """flax's attention."""

  heads: int
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x):
    layer = nn.MultiHeadDotProductAttention(
      self.heads, normalize_qk=True, use_bias=False
    )
    return layer(x)


def num_groups(channels: int) -> int:
  """The number of groups that `jaxgen.models.conv.GroupNorm` chooses."""
  most = min(32, channels // 4)
  return next(g for g in range(most, 0, -1) if channels % g == 0)


@contextlib.contextmanager
def stock_layers() -> Iterator[None]:
  """Build residual blocks from flax's own layers within the block."""
  ours: Any = conv.GroupNorm, conv.SelfAttention
  theirs: Any = StockNorm, StockAttention
  conv.GroupNorm, conv.SelfAttention = theirs
  try:
    yield
  finally:
    conv.GroupNorm, conv.SelfAttention = ours
