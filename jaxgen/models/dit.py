"""A transformer on patches as the inner network of a denoiser (DiT,
arXiv:2212.09748): nearly all of its operations are matrix products.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from jaxgen.config.denoisers import DiTConfig
from jaxgen.models import layers, patches
from jaxgen.models.conditioning import (
  Cond,
  Conditioning,
  concat_images,
)
from jaxgen.models.layers import MLP, ZEROS, Dense, RMSNorm, SelfAttention
from jaxgen.models.network import DenoisingNetwork
from jaxgen.models.resampling import (
  TransferRules,
  add_patch_inputs,
  resize_input_kernel,
  resize_output_kernel,
)
from jaxgen.typing import Array


def sincos_positions(
  grid: tuple[int, int], *, width: int, base: int
) -> Float[Array, "{grid[0]*grid[1]} {width}"]:
  """Sines and cosines of the position of each patch of a grid (rows, columns).

  Positions are relative to the image's side and scaled to `base` patches, so
  that other resolutions use interpolated positions.
  """
  rows, columns = grid
  frequencies = 1 / 100 ** (jnp.arange(width // 4) / (width // 4))
  y = (jnp.arange(rows) + 0.5) * base / rows
  x = (jnp.arange(columns) + 0.5) * base / columns
  centers = jnp.stack(jnp.meshgrid(y, x, indexing="ij"), -1).reshape(-1, 2, 1)
  angles = (centers * frequencies[None, None]).reshape(rows * columns, -1)
  return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


class DiTBlock(nn.Module, kw_only=True):
  """A transformer block with norms and residuals modulated by the conditions.

  It starts as the identity, since the last layers of attention and MLP are
  zero; the gates start at 1, since gates of 0 would also block all gradients.
  """

  options: DiTConfig
  dtype: DTypeLike

  @nn.compact
  def __call__(
    self, x: Float[Array, "b n d"], embedding: Float[Array, "b e"], train: bool
  ) -> Float[Array, "b n d"]:
    """`x` after attention and MLP, scaled, shifted and gated by `embedding`."""
    options = self.options
    drop = nn.Dropout(options.dropout, deterministic=not train)
    film = Dense(6 * x.shape[-1], kernel_init=ZEROS, dtype=self.dtype)
    film = jnp.split(film(embedding)[:, None], 6, axis=-1)
    attention = SelfAttention(options.heads, self.dtype, name="attention")
    mlp = MLP(options.mlp_ratio, self.dtype, name="mlp")
    for layer, (scale, shift, gate) in ((attention, film[:3]), (mlp, film[3:])):
      y = RMSNorm(name=f"norm_{layer.name}")(x) * (1 + scale) + shift
      x = x + (1 + gate) * drop(layer(y))
    return x


class DiTBase(DenoisingNetwork, kw_only=True):
  """A denoising network with the options of a transformer on patches."""

  options: DiTConfig

  @property
  def width(self) -> int:
    """Features of a token."""
    return self.options.width

  def embed(
    self, c_noise: Float[Array, " b"], cond: Cond, side: int
  ) -> Float[Array, "b e"]:
    """The embedding of noise level and conditions."""
    return Conditioning(
      width=self.width,
      condition_sizes=self.condition_sizes,
      highest=self.options.time_frequency,
      name="conditioning",
    )(c_noise, cond, side)

  def tokens(self, x: Float[Array, "b h w c"]) -> Float[Array, "b n d"]:
    """A token of each patch of an image, with its position."""
    patch = self.options.patch_size
    grid = x.shape[1] // patch, x.shape[2] // patch
    x = patches.patchify(x, patch)
    x = Dense(self.width, dtype=self.dtype, name="patch_in")(x)
    base = self.resolution // patch
    positions = sincos_positions(grid, width=self.width, base=base)
    return x + positions[None].astype(x.dtype)

  @property
  def block(self) -> functools.partial[DiTBlock]:
    """The maker of blocks, by their names."""
    block = layers.remat(DiTBlock, self.remat, static=3)
    return functools.partial(block, options=self.options, dtype=self.dtype)


class DiT(DiTBase, kw_only=True):
  """`(x (b, h, w, channels), c_noise (b,), cond)` to the shape of `x`."""

  def rules(self, old: DiT) -> TransferRules:
    """Rules for the parameters of a model of another resolution or patch size,
    and for more channels of the image condition, ignored at first."""
    before, after = old.options.patch_size, self.options.patch_size
    patch = {"old": before, "new": after}
    num = self.new_channels(old)

    def patch_in(w: Float[Array, "i d"]) -> Float[Array, "j d"]:
      more = add_patch_inputs(w, patch=before, num=num)
      return resize_input_kernel(more, old=before, new=after)

    return {
      "patch_in/kernel": patch_in,
      "patch_out/kernel": functools.partial(resize_output_kernel, **patch),
      "patch_out/bias": functools.partial(resize_output_kernel, **patch),
    }

  @nn.compact
  def __call__(
    self,
    x: Float[Array, "b h w c"],
    c_noise: Float[Array, " b"],
    cond: Cond = None,
    train: bool = False,
    *,
    controls: Sequence[Float[Array, "b n d"]] = (),
  ) -> Float[Array, "b h w c"]:
    """The output of the network, float32; `controls` of a
    `models.control.ControlDiT` are added to the outputs of the first blocks."""
    patch = self.options.patch_size
    grid = x.shape[1] // patch, x.shape[2] // patch
    embedding = self.embed(c_noise, cond, x.shape[1])
    x = self.tokens(concat_images(x, cond, self.image_conditions))
    x = self._blocks(x, embedding, train, controls=controls)
    last = Dense(patch**2 * self.channels, kernel_init=ZEROS, name="patch_out")
    x = last(RMSNorm(name="norm_out")(x).astype(jnp.float32))
    return patches.unpatchify(x, patch, grid=grid)

  def _blocks(
    self,
    x: Float[Array, "b n d"],
    embedding: Float[Array, "b e"],
    train: bool,
    *,
    controls: Sequence[Float[Array, "b n d"]],
  ) -> Float[Array, "b n d"]:
    depth, scan = self.options.depth, self.options.scan_layers
    if not controls:
      return layers.stack(self.block, depth, scan=scan)(x, embedding, train)
    for i in range(depth):
      x = self.block(name=f"block_{i}")(x, embedding, train)
      x = x + controls[i] if i < len(controls) else x
    return x
