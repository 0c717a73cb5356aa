"""An autoencoder that encodes and decodes an image patch by patch.

    patches -> tokens -> blocks -> features -> latent          (encode)
    latent -> features -> tokens -> blocks -> patches          (decode)

`features` are a few numbers per patch; one dense layer maps all of them to the
latent vector. With the zero initialization of the blocks, encoder and decoder
are linear maps, so the network starts as a linear autoencoder (PCA is the
optimal one) and the blocks learn the nonlinear rest. The output is neither
squashed nor normalized, so that every pixel value can be reached.

With `grids` there is a level of patches for each grid (`models.pyramid`), so
that training can continue with more patches of the same size.
"""

from __future__ import annotations

from functools import partial

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax.nn.initializers import Initializer
from jaxtyping import Float

from jaxgen.config.models import PatchAutoencoderConfig
from jaxgen.images import upsample_matrix
from jaxgen.models import pyramid
from jaxgen.models.layers import ZEROS, Blocks, Dense
from jaxgen.models.network import Network
from jaxgen.models.patches import patch_window
from jaxgen.models.resampling import (
  TransferRules,
  repeat_matrix,
  resize_input_kernel,
  resize_output_kernel,
  resize_positions,
)
from jaxgen.typing import Array

Images = Float[Array, "b h h c"]
Latents = Float[Array, "b *latent"]


class PatchAutoencoder(Network, kw_only=True):
  """Images `(b, resolution, resolution, channels)` to a latent vector
  `(b, latent_dim)`, or with `latent="tokens"` a grid of vectors
  `(b, rows, columns, latent_dim)`, and back."""

  options: PatchAutoencoderConfig

  def rules(self, old: PatchAutoencoder) -> TransferRules:
    """Rules for the parameters of a model of another resolution or patch size.

    Raises:
      ValueError: the levels of `old` are not the first ones of this model.
    """
    _check_levels(old, self)
    return _patch_rules(old, self) | _grid_rules(old, self)

  @property
  def grid(self) -> tuple[int, int]:
    """Rows and columns of patches."""
    side = self.resolution // self.options.patch_size
    return side, side

  @property
  def levels(self) -> tuple[int, ...]:
    """Patches per side of each level at this resolution."""
    side = self.grid[0]
    return tuple(x for x in self.options.grids if x < side) + (side,)

  def setup(self) -> None:
    options, (rows, columns) = self.options, self.grid
    vector = options.latent == "vector"
    features = options.patch_features if vector else options.latent_dim
    shape = (rows * columns, options.width)
    position = nn.initializers.normal(0.02)
    self.patch_in = self._dense(options.width)
    self.position_in = self.param("position_in", position, shape)
    self.encoder = self._blocks(options.encoder_depth)
    self.features_out = self._dense(features)
    self.features_in = self._dense(options.width)
    self.position_out = self.param("position_out", position, shape)
    self.decoder = self._blocks(options.decoder_depth)
    pixels = options.decoded_size**2 * self.channels
    self.patch_out = self._dense(pixels)
    finer = self.levels[1:]
    self.finer_in = [self._dense(options.width, ZEROS) for _ in finer]
    self.finer_out = [self._dense(pixels, ZEROS) for _ in finer]
    if vector:
      self.latent_out = self._dense(options.latent_dim)
      self.latent_in = self._dense(rows * columns * features)

  def _dense(
    self, features: int, init: Initializer = Dense.kernel_init
  ) -> Dense:
    return Dense(features, kernel_init=init, dtype=self.dtype)

  def _blocks(self, depth: int) -> Blocks:
    return Blocks(
      depth=depth,
      heads=self.options.heads,
      mlp_ratio=self.options.mlp_ratio,
      dropout=self.options.dropout,
      scan=self.options.scan_layers,
      remat=self.remat,
      dtype=self.dtype,
    )

  def encode(self, images: Images, train: bool = False) -> Latents:
    """Images float32 in [-1, 1] to float32 latents."""
    x = pyramid.image_to_tokens(
      (self.patch_in, *self.finer_in),
      images,
      sides=self.levels,
      patch_size=self.options.patch_size,
    )
    x = self.encoder(x + self.position_in[None].astype(x.dtype), train)
    x = self.features_out(x)
    if self.options.latent == "vector":
      x = self.latent_out(x.reshape(x.shape[0], -1))
    else:
      x = x.reshape(x.shape[0], *self.grid, -1)
    return x.astype(jnp.float32)

  def decode(self, latents: Latents, train: bool = False) -> Images:
    """Latents to images, float32, about [-1, 1] and not clipped."""
    rows, columns = self.grid
    vector = self.options.latent == "vector"
    x = self.latent_in(latents) if vector else latents
    x = self.features_in(x.reshape(x.shape[0], rows * columns, -1))
    x = self.decoder(x + self.position_out[None].astype(x.dtype), train)
    x = pyramid.tokens_to_image(
      (self.patch_out, *self.finer_out),
      x,
      sides=self.levels,
      patch_size=self.options.patch_size,
      overlap=self.options.margin,
    )
    return x.astype(jnp.float32)

  def posterior(
    self, images: Images, train: bool = False
  ) -> tuple[Latents, None]:
    """The latents, and no log variance: the encoder is deterministic."""
    return self.encode(images, train), None

  def outputs(self, latents: Latents, train: bool = False) -> dict[str, Images]:
    """The decoded `image`."""
    return {"image": self.decode(latents, train)}

  def __call__(self, images: Images, train: bool = False) -> Images:
    """The reconstruction, `decode(encode(images))`."""
    return self.decode(self.encode(images, train), train)


def _check_levels(old: PatchAutoencoder, new: PatchAutoencoder) -> None:
  several = len(new.levels) > 1
  if several and new.levels[: len(old.levels)] != old.levels:
    raise ValueError(
      f"model.grids={new.options.grids}: expected to start with the levels of "
      f"the previous model, {old.levels}."
    )


def _patch_rules(old: PatchAutoencoder, new: PatchAutoencoder) -> TransferRules:
  """Rules for the patch layers of every level."""
  patch = {"old": old.options.patch_size, "new": new.options.patch_size}
  finer = range(len(new.levels) - 1)
  inputs = ("patch_in", *(f"finer_in_{i}" for i in finer))
  outputs = ("patch_out", *(f"finer_out_{i}" for i in finer))
  resize_input = partial(resize_input_kernel, **patch)
  resize_output = partial(_resize_decoded, old=old.options, new=new.options)
  return {
    **{f"{x}/kernel": resize_input for x in inputs},
    **{f"{x}/kernel": resize_output for x in outputs},
    **{f"{x}/bias": resize_output for x in outputs},
  }


def _resize_decoded(
  w: Array, *, old: PatchAutoencoderConfig, new: PatchAutoencoderConfig
) -> Array:
  """A kernel or bias of decoded patches for another patch size: the weighted
  patches are the enlarged ones of before."""
  before, after = _decoded_weights(old), _decoded_weights(new)
  channels = w.shape[-1] // len(before)
  weighted = w.reshape(-1, w.shape[-1]) * before.repeat(channels)[None]
  enlarged = resize_output_kernel(
    weighted, old=old.decoded_size, new=new.decoded_size
  )
  new_w = enlarged / after.repeat(channels)[None]
  return new_w.reshape(*w.shape[:-1], -1)


def _decoded_weights(options: PatchAutoencoderConfig) -> np.ndarray:
  """The weight of each pixel of a decoded patch."""
  window = patch_window(options.patch_size, options.margin)
  return np.outer(window, window).reshape(-1)


def _grid_rules(old: PatchAutoencoder, new: PatchAutoencoder) -> TransferRules:
  """Rules for the parameters that depend on the grid of patches."""
  matrix = repeat_matrix if len(new.levels) > 1 else upsample_matrix
  grid = {"old": old.grid[0], "new": new.grid[0], "matrix": matrix}
  rules: TransferRules = {
    "position_in": partial(resize_positions, **grid),
    "position_out": partial(resize_positions, **grid),
  }
  if new.options.latent == "vector":
    rules |= {
      "latent_out/kernel": partial(resize_input_kernel, **grid),
      "latent_in/kernel": partial(resize_output_kernel, **grid),
      "latent_in/bias": partial(resize_output_kernel, **grid),
    }
  return rules
