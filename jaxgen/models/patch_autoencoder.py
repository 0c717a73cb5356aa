"""An autoencoder that reads and paints an image patch by patch.

    patches -> tokens -> blocks -> features -> latent          (encode)
    latent -> features -> tokens -> blocks -> patches          (decode)

`features` are a few numbers per patch; one dense layer ties all of them to the
latent vector. With the blocks at their zero start the whole is one linear map
each way, so the network starts inside the family of linear autoencoders (PCA is
the best of them) and the blocks learn what a linear map cannot do. Nothing
squashes or normalises the output: every pixel value is in reach.

With `grids` there is a level of patches for each of them (`models.pyramid`), so
that a network can go on in more patches of the same size as what it was.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import flax.linen as nn
import jax.numpy as jnp

from jaxgen.config.fields import NonNegativeInt, PositiveInt, UnitInterval
from jaxgen.config.stages import Remat
from jaxgen.images import enlarging
from jaxgen.models.layers import ZEROS, Blocks, Dense
from jaxgen.models.pyramid import paint_levels, read_levels
from jaxgen.models.resampling import (
  Rules,
  positions,
  repeating,
  resize_input_kernel,
  resize_output_kernel,
)
from jaxgen.typing import Array


class PatchAutoencoder(nn.Module):
  """Images `(b, resolution, resolution, channels)` to one latent vector
  `(b, latent_dim)`, or with `latent="tokens"` to a grid of them
  `(b, rows, columns, latent_dim)`, and back."""

  resolution: int
  channels: int = 3
  patch_size: PositiveInt = 16
  grids: tuple[PositiveInt, ...] = ()  # patches a side, from coarse to fine
  width: PositiveInt = 512
  encoder_depth: NonNegativeInt = 6
  decoder_depth: NonNegativeInt = 6
  heads: PositiveInt = 8
  mlp_ratio: PositiveInt = 4
  latent: Literal["vector", "tokens"] = "vector"
  latent_dim: PositiveInt = 512
  patch_features: PositiveInt = (
    32  # numbers per patch between tokens and the latent
  )
  dropout: UnitInterval = 0.0
  scan_layers: bool = False
  remat: Remat = "none"
  dtype: Any = jnp.float32

  def rules(self, old: PatchAutoencoder) -> Rules:
    """From the parameters of a model of another resolution or patch size.

    Raises:
      ValueError: its levels are others.
    """
    patch = {"old": old.patch_size, "new": self.patch_size}
    leveled = len(self.levels) > 1
    if leveled and self.levels[: len(old.levels)] != old.levels:
      raise ValueError(
        f"model.grids={self.grids}: begin with the levels that there were, "
        f"{old.levels}."
      )
    by = repeating if leveled else enlarging
    grid = {"old": old.grid[0], "new": self.grid[0], "by": by}
    finer = range(len(self.levels) - 1)
    readers = ("patch_in", *(f"finer_in_{i}" for i in finer))
    painters = ("patch_out", *(f"finer_out_{i}" for i in finer))
    rules: Rules = {
      f"{x}/kernel": partial(resize_input_kernel, **patch) for x in readers
    }
    for name in painters:
      rules[f"{name}/kernel"] = rules[f"{name}/bias"] = partial(
        resize_output_kernel, **patch
      )
    rules |= {
      "position_in": partial(positions, **grid),
      "position_out": partial(positions, **grid),
    }
    tied = {
      "latent_out/kernel": partial(resize_input_kernel, **grid),
      "latent_in/kernel": partial(resize_output_kernel, **grid),
      "latent_in/bias": partial(resize_output_kernel, **grid),
    }
    return rules | tied if self.latent == "vector" else rules

  @property
  def grid(self) -> tuple[int, int]:
    """Rows and columns of patches."""
    side = self.resolution // self.patch_size
    return side, side

  @property
  def levels(self) -> tuple[int, ...]:
    """Patches a side of each level that is there."""
    side = self.grid[0]
    return tuple(x for x in self.grids if x < side) + (side,)

  def setup(self) -> None:
    rows, cols = self.grid
    vector = self.latent == "vector"
    features = self.patch_features if vector else self.latent_dim
    shape = (rows * cols, self.width)
    position = nn.initializers.normal(0.02)
    shared = (self.heads, self.mlp_ratio, self.dropout, self.scan_layers)
    shared = (*shared, self.remat)
    self.patch_in = self._dense(self.width)
    self.position_in = self.param("position_in", position, shape)
    self.encoder = Blocks(self.encoder_depth, *shared, self.dtype)
    self.features_out = self._dense(features)
    self.features_in = self._dense(self.width)
    self.position_out = self.param("position_out", position, shape)
    self.decoder = Blocks(self.decoder_depth, *shared, self.dtype)
    pixels = self.patch_size**2 * self.channels
    self.patch_out = self._dense(pixels)
    finer = self.levels[1:]
    self.finer_in = [self._dense(self.width, ZEROS) for _ in finer]
    self.finer_out = [self._dense(pixels, ZEROS) for _ in finer]
    if vector:
      self.latent_out = self._dense(self.latent_dim)
      self.latent_in = self._dense(rows * cols * features)

  def _dense(self, features: int, init: Any = Dense.kernel_init) -> Dense:
    return Dense(features, kernel_init=init, dtype=self.dtype)

  def encode(self, images: Array, train: bool = False) -> Array:
    """Images float32 in [-1, 1] to float32 latents."""
    layers = (self.patch_in, *self.finer_in)
    x = read_levels(layers, self.levels, images, self.patch_size)
    x = self.encoder(x + self.position_in.astype(x.dtype), train)
    x = self.features_out(x)
    if self.latent == "vector":
      x = self.latent_out(x.reshape(x.shape[0], -1))
    else:
      x = x.reshape(x.shape[0], *self.grid, -1)
    return x.astype(jnp.float32)

  def decode(self, latents: Array, train: bool = False) -> Array:
    """Latents to images, float32, about [-1, 1] and not clipped."""
    rows, cols = self.grid
    x = self.latent_in(latents) if self.latent == "vector" else latents
    x = self.features_in(x.reshape(x.shape[0], rows * cols, -1))
    x = self.decoder(x + self.position_out.astype(x.dtype), train)
    layers = (self.patch_out, *self.finer_out)
    x = paint_levels(layers, self.levels, x, self.patch_size)
    return x.astype(jnp.float32)

  def posterior(
    self, images: Array, train: bool = False
  ) -> tuple[Array, Array | None]:
    """The latents, which are sure: there is no variance."""
    return self.encode(images, train), None

  def outputs(self, latents: Array, train: bool = False) -> dict[str, Array]:
    """What the latents say: the `image`."""
    return {"image": self.decode(latents, train)}

  def __call__(self, images: Array, train: bool = False) -> Array:
    """Reconstruction: `decode(encode(images))`."""
    return self.decode(self.encode(images, train), train)
