"""What a denoiser is told besides the noisy image, as one vector."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxgen.models.layers import ZEROS, Dense
from jaxgen.typing import Array


def fourier_features(x: Array, num: int, highest: float = 1000.0) -> Array:
  """Cosines and sines of `x` `(b,)` at `num / 2` frequencies from 1 to
  `highest`, evenly spaced in their logarithm: `(b, num)`."""
  frequencies = jnp.geomspace(1.0, highest, num // 2)
  angles = x[:, None] * frequencies
  return jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], axis=-1)


def concat_condition(x: Array, cond: Any, channels: int) -> Array:
  """`x` `(b, h, w, c)` with the dense condition `cond["dense"]`, float
  `(b, h, w, channels)`, as further channels; zeros where it is missing."""
  if not channels:
    return x
  shape = (*x.shape[:-1], channels)
  dense = (cond or {}).get("dense", jnp.zeros(shape, x.dtype))
  return jnp.concatenate([x, jnp.broadcast_to(dense, shape)], axis=-1)


class Conditioning(nn.Module):
  """Noise level, resolution and named conditions to a vector `(b, width)`.

  Each condition has a table of its own with one row more than it has values:
  row 0 says that it is missing. Rows add up, so any may be left out.
  """

  width: int
  sizes: tuple[tuple[str, int], ...] = ()  # of each condition: values
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, c_noise: Array, cond: Any, pixels: int) -> Array:
    """`c_noise` `(b,)`; `cond` maps names to int32 `(b,)`, -1 is missing, and
    so is a name that is not there; `pixels` is the side of the image."""
    x = Dense(self.width, name="noise")(fourier_features(c_noise, self.width))
    size = jnp.log2(jnp.full(c_noise.shape, pixels / 32.0))
    x = x + Dense(self.width, kernel_init=ZEROS, name="resolution")(
      fourier_features(size, 32)
    )
    missing = jnp.full(c_noise.shape, -1)
    for name, values in self.sizes:
      table = nn.Embed(values + 1, self.width, name=f"of_{name}")
      x = x + table((cond or {}).get(name, missing) + 1)
    x = Dense(self.width, name="hidden")(nn.silu(x))
    return nn.silu(x).astype(self.dtype)
