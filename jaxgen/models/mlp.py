"""A network of residual blocks for vectors, as the inner network of a denoiser
of latents: nearly all of its operations are matrix products.

Blocks are modulated by the conditions as those of DiT (arXiv:2212.09748).
"""

from __future__ import annotations

import functools

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from jaxgen.config.denoisers import MLPConfig
from jaxgen.models import layers
from jaxgen.models.conditioning import (
  Cond,
  Conditioning,
  concat_images,
)
from jaxgen.models.layers import ZEROS, Dense, RMSNorm
from jaxgen.models.network import DenoisingNetwork
from jaxgen.models.resampling import TransferRules, add_inputs
from jaxgen.typing import Array


class MLPBlock(nn.Module, kw_only=True):
  """x + (1 + g) W2 silu(W1 (rms(x) (1 + s) + b)), with scale s, shift b and
  gate g from the conditions.

  It starts as the identity, since W2 is zero; the gate starts at 1, since one
  of 0 would also block all gradients.
  """

  options: MLPConfig
  dtype: DTypeLike

  @nn.compact
  def __call__(
    self, x: Float[Array, "b n d"], embedding: Float[Array, "b e"], train: bool
  ) -> Float[Array, "b n d"]:
    """`x` after the block, scaled, shifted and gated by `embedding`."""
    options, width = self.options, x.shape[-1]
    film = Dense(3 * width, kernel_init=ZEROS, dtype=self.dtype, name="film")
    scale, shift, gate = jnp.split(film(embedding)[:, None], 3, axis=-1)
    y = RMSNorm(name="norm")(x) * (1 + scale) + shift
    y = Dense(options.mlp_ratio * width, dtype=self.dtype, name="up")(y)
    down = Dense(width, kernel_init=ZEROS, dtype=self.dtype, name="down")
    drop = nn.Dropout(options.dropout, deterministic=not train)
    return x + (1 + gate) * drop(down(nn.silu(y)))


class MLPDenoiser(DenoisingNetwork, kw_only=True):
  """`(x (b, 1, 1, channels), c_noise (b,), cond)` to the shape of `x`: one
  vector per image."""

  options: MLPConfig

  def rules(self, old: MLPDenoiser) -> TransferRules:
    """The rule for more channels of the image condition: they are ignored at
    first."""
    more = functools.partial(add_inputs, num=self.new_channels(old))
    return {"vector_in/kernel": more}

  @nn.compact
  def __call__(
    self,
    x: Float[Array, "b 1 1 c"],
    c_noise: Float[Array, " b"],
    cond: Cond = None,
    train: bool = False,
  ) -> Float[Array, "b 1 1 c"]:
    """The output of the network, float32."""
    width = self.options.width
    embedding = Conditioning(
      width=width,
      condition_sizes=self.condition_sizes,
      highest=self.options.time_frequency,
      name="conditioning",
    )(c_noise, cond, 1)
    y = concat_images(x, cond, self.image_conditions)[:, 0]
    y = Dense(width, dtype=self.dtype, name="vector_in")(y)
    block = layers.remat(MLPBlock, self.remat, static=3)
    make = functools.partial(block, options=self.options, dtype=self.dtype)
    y = layers.stack(make, self.options.depth, scan=False)(y, embedding, train)
    last = Dense(self.channels, kernel_init=ZEROS, name="vector_out")
    y = last(RMSNorm(name="norm_out")(y).astype(jnp.float32))
    return y.reshape(x.shape)
