"""A transformer on patches as the inner network of a denoiser (DiT,
arXiv:2212.09748): nearly all of its work are matrix products.
"""

from __future__ import annotations

import functools
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxgen.config.fields import NonNegativeInt, PositiveInt, UnitInterval
from jaxgen.config.stages import Remat
from jaxgen.models import layers
from jaxgen.models.conditioning import Conditioning, concat_condition
from jaxgen.models.layers import (
  MLP,
  ZEROS,
  Dense,
  RMSNorm,
  SelfAttention,
  patchify,
  stack,
  unpatchify,
)
from jaxgen.models.resampling import (
  Rules,
  resize_input_kernel,
  resize_output_kernel,
)
from jaxgen.typing import Array


def positions(rows: int, columns: int, width: int, base: int) -> Array:
  """Sines and cosines of each patch's place, `(rows * columns, width)`.

  Places are relative to the image's side and scaled to `base` patches, so that
  an image at another resolution has the positions in between.
  """
  frequencies = 1 / 100 ** (jnp.arange(width // 4) / (width // 4))
  y = (jnp.arange(rows) + 0.5) * base / rows
  x = (jnp.arange(columns) + 0.5) * base / columns
  places = jnp.stack(jnp.meshgrid(y, x, indexing="ij"), -1).reshape(-1, 2, 1)
  angles = (places * frequencies).reshape(rows * columns, -1)
  return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


class DiTBlock(nn.Module):
  """A transformer block whose norms and residuals the condition scales.

  It starts as the identity, for attention and MLP end in zeros; the gates
  start at 1, or nothing would ever leave that start.
  """

  heads: int
  mlp_ratio: int
  dropout: float
  dtype: Any

  @nn.compact
  def __call__(self, x: Array, embedding: Array, train: bool) -> Array:
    """`x` `(b, n, d)`, `embedding` `(b, e)`."""
    drop = nn.Dropout(self.dropout, deterministic=not train)
    film = Dense(6 * x.shape[-1], kernel_init=ZEROS, dtype=self.dtype)
    film = jnp.split(film(embedding)[:, None], 6, axis=-1)
    attention = SelfAttention(self.heads, self.dtype, name="attention")
    mlp = MLP(self.mlp_ratio, self.dtype, name="mlp")
    for layer, (scale, shift, gate) in ((attention, film[:3]), (mlp, film[3:])):
      y = RMSNorm(name=f"norm_{layer.name}")(x) * (1 + scale) + shift
      x = x + (1 + gate) * drop(layer(y))
    return x


class DiT(nn.Module):
  """`(x (b, h, w, channels), c_noise (b,), cond)` to the shape of `x`."""

  resolution: int  # of the training; others work too
  channels: int = 3
  sizes: tuple[tuple[str, int], ...] = ()  # of the conditions
  cond_channels: NonNegativeInt = (
    0  # channels of an image as a condition, cond["dense"]
  )
  patch_size: PositiveInt = 4
  width: PositiveInt = 256
  depth: PositiveInt = 6
  heads: PositiveInt = 4
  mlp_ratio: PositiveInt = 4
  dropout: UnitInterval = 0.0
  scan_layers: bool = False
  remat: Remat = "none"
  dtype: Any = jnp.float32

  def rules(self, old: DiT) -> Rules:
    """From the parameters of a model of another resolution or patch size."""
    patch = {"old": old.patch_size, "new": self.patch_size}
    return {
      "patch_in/kernel": functools.partial(resize_input_kernel, **patch),
      "patch_out/kernel": functools.partial(resize_output_kernel, **patch),
      "patch_out/bias": functools.partial(resize_output_kernel, **patch),
    }

  @nn.compact
  def __call__(
    self, x: Array, c_noise: Array, cond: Any = None, train: bool = False
  ) -> Array:
    patch = self.patch_size
    grid = x.shape[1] // patch, x.shape[2] // patch
    vector = Conditioning(self.width, self.sizes, name="conditioning")
    embedding = vector(c_noise, cond, x.shape[1])
    x = patchify(concat_condition(x, cond, self.cond_channels), patch)
    x = Dense(self.width, dtype=self.dtype, name="patch_in")(x)
    base = self.resolution // patch
    x = x + positions(*grid, self.width, base).astype(x.dtype)
    block = (self.heads, self.mlp_ratio, self.dropout, self.dtype)
    make = functools.partial(layers.remat(DiTBlock, self.remat, 3), *block)
    x = stack(make, self.depth, self.scan_layers, x, embedding, train)
    last = Dense(patch**2 * self.channels, kernel_init=ZEROS, name="patch_out")
    x = last(RMSNorm(name="norm_out")(x).astype(jnp.float32))
    return unpatchify(x, patch, grid)
