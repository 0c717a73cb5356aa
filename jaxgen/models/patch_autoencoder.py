"""An autoencoder that reads and paints an image patch by patch.

    patches -> tokens -> blocks -> features -> latent          (encode)
    latent -> features -> tokens -> blocks -> patches          (decode)

`features` are a few numbers per patch; one dense layer ties all of them to the
latent vector. With the blocks at their zero start the whole is one linear map
each way, so the network starts inside the family of linear autoencoders (PCA is
the best of them) and the blocks learn what a linear map cannot do. Nothing
squashes or normalises the output: every pixel value is in reach.
"""

from __future__ import annotations

import functools
from typing import Any, Literal

import flax.linen as nn
import jax.numpy as jnp

from jaxgen.errors import UserError
from jaxgen.models.layers import Blocks, Dense, Remat, patchify, unpatchify
from jaxgen.models.resampling import Rules, paint, positions, read
from jaxgen.options import Count, Share, Size
from jaxgen.typing import Array


class PatchAutoencoder(nn.Module):
  """Images `(b, resolution, resolution, channels)` to one latent vector
  `(b, latent_dim)`, or with `latent="tokens"` to a grid of them
  `(b, rows, columns, latent_dim)`, and back."""

  resolution: int
  channels: int = 3
  patch_size: Count = 16
  width: Count = 512
  encoder_depth: Size = 6
  decoder_depth: Size = 6
  heads: Count = 8
  mlp_ratio: Count = 4
  latent: Literal["vector", "tokens"] = "vector"
  latent_dim: Count = 512
  patch_features: Count = 32  # numbers per patch between tokens and the latent
  dropout: Share = 0.0
  scan_layers: bool = False
  remat: Remat = "none"
  dtype: Any = jnp.float32

  def check(self) -> None:
    """Raise a UserError where numbers do not go together."""
    if self.resolution % self.patch_size:
      raise UserError(
        f"model.patch_size={self.patch_size} does not divide the resolution "
        f"{self.resolution}."
      )
    if self.width % self.heads:
      raise UserError(
        f"model.heads={self.heads} does not divide model.width={self.width}."
      )

  def rules(self, old: PatchAutoencoder) -> Rules:
    """From the parameters of a model of another resolution or patch size."""
    patch = {"old": old.patch_size, "new": self.patch_size}
    grid = {"old": old.grid[0], "new": self.grid[0]}
    rules = {
      "patch_in/kernel": functools.partial(read, **patch),
      "patch_out/kernel": functools.partial(paint, **patch),
      "patch_out/bias": functools.partial(paint, **patch),
      "position_in": functools.partial(positions, **grid),
      "position_out": functools.partial(positions, **grid),
    }
    tied = {
      "latent_out/kernel": functools.partial(read, **grid),
      "latent_in/kernel": functools.partial(paint, **grid),
      "latent_in/bias": functools.partial(paint, **grid),
    }
    return rules | tied if self.latent == "vector" else rules

  @property
  def grid(self) -> tuple[int, int]:
    """Rows and columns of patches."""
    side = self.resolution // self.patch_size
    return side, side

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
    self.patch_out = self._dense(self.patch_size**2 * self.channels)
    if vector:
      self.latent_out = self._dense(self.latent_dim)
      self.latent_in = self._dense(rows * cols * features)

  def _dense(self, features: int) -> Dense:
    return Dense(features, dtype=self.dtype)

  def encode(self, images: Array, train: bool = False) -> Array:
    """Images float32 in [-1, 1] to float32 latents."""
    x = self.patch_in(patchify(images, self.patch_size))
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
    x = unpatchify(self.patch_out(x), self.patch_size, self.grid)
    return x.astype(jnp.float32)

  def posterior(
    self, images: Array, train: bool = False
  ) -> tuple[Array, Array | None]:
    """The latents, which are sure: there is no variance."""
    return self.encode(images, train), None

  def answer(self, latents: Array, train: bool = False) -> dict[str, Array]:
    """What the latents say: the `image`."""
    return {"image": self.decode(latents, train)}

  def __call__(self, images: Array, train: bool = False) -> Array:
    """Reconstruction: `decode(encode(images))`."""
    return self.decode(self.encode(images, train), train)
