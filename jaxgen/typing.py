"""Array aliases and the protocols that the folders of jaxgen share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import jax
from jaxtyping import Float

Array = jax.Array
Params = Any  # a nested dict of arrays
Batch = Mapping[str, Array]
Metrics = dict[str, Array]
ConditionNames = Mapping[str, tuple[str, ...]]  # value names by condition
Conditions = Any  # a tree of arrays (b, ...), or None
Images = Float[Array, "b h w c"]
Levels = Float[Array, " b"]  # noise levels, one per image
NoiseMap = Float[Array, "b h w #c"]  # noise levels, one per pixel or value
Sigmas = Levels | NoiseMap


@runtime_checkable
class DenoiseFn(Protocol):
  """A denoiser: the posterior mean of clean images given noisy ones."""

  def __call__(
    self, x: Images, sigma: Sigmas, cond: Conditions = None
  ) -> Images:
    """`x` float32, `sigma` > 0; returns float32. Not every denoiser takes a
    noise map."""
    ...


@runtime_checkable
class EncodeFn(Protocol):
  """Images float32 `(b, h, w, c)` in [-1, 1] to latents `(b, ...)`."""

  def __call__(self, images: Array, key: Array | None = None) -> Array: ...


@runtime_checkable
class DecodeFn(Protocol):
  """Latents `(b, ...)` to images float32 `(b, h, w, c)`, about [-1, 1]."""

  def __call__(self, latents: Array) -> Array: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Codec:
  """Images to latents and back.

  Attributes:
    encode: images to latents; with a key, a sample of the posterior if there
      is one.
    decode: latents to images.
    latent_shape: shape of one latent.
    mean: mean of the latents, a number or an array that broadcasts to them.
    scale: their standard deviation, likewise.
    posterior: images to mean and log variance of the posterior, each shaped
      like the latents; None if the encoder is not variational.
  """

  encode: EncodeFn
  decode: DecodeFn
  latent_shape: tuple[int, ...]
  mean: Array | float = 0.0
  scale: Array | float = 1.0
  posterior: Callable[[Array], tuple[Array, Array]] | None = None

  def standardize(self, latents: Array) -> Array:
    """Latents with mean 0 and standard deviation 1, by `mean` and `scale`."""
    return (latents - self.mean) / self.scale

  def unstandardize(self, latents: Array) -> Array:
    """The inverse of `standardize`."""
    return latents * self.scale + self.mean


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class LossInputs:
  """Inputs of a loss besides parameters and data.

  Attributes:
    images: images seen before the step.
    weights: weights of loss terms set by a `LossController`, by name.
    frozen: parameters that are not trained (a codec, a teacher), by name.
  """

  images: Array | int = 0
  weights: Mapping[str, Array] = dataclasses.field(default_factory=dict)
  frozen: Mapping[str, Params] = dataclasses.field(default_factory=dict)


@runtime_checkable
class LossFn(Protocol):
  """A training loss: its mean over the batch, and metrics."""

  def __call__(
    self, params: Params, batch: Batch, keys: Array, inputs: LossInputs
  ) -> tuple[Array, Metrics]:
    """`keys` `(b,)` holds one random key per image."""
    ...
