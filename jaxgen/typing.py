"""Array aliases and the protocols that the folders of jaxgen share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax

Array = jax.Array
Params = Any  # a nested dict of arrays
Batch = Mapping[str, Array]
Metrics = dict[str, Array]
Conditions = Any  # of images: a tree of arrays (b, ...), or None


class DenoiseFn(Protocol):
  """A denoiser: the posterior mean of clean images given noisy ones."""

  def __call__(self, x: Array, sigma: Array, cond: Conditions = None) -> Array:
    """`x` float32 `(b, h, w, c)`, `sigma` `(b,)` > 0; returns like `x`."""
    ...


class EncodeFn(Protocol):
  """Images float32 `(b, h, w, c)` in [-1, 1] to latents `(b, ...)`."""

  def __call__(self, images: Array, key: Array | None = None) -> Array: ...


class DecodeFn(Protocol):
  """Latents `(b, ...)` to images float32 `(b, h, w, c)`, about [-1, 1]."""

  def __call__(self, latents: Array) -> Array: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Codec:
  """Images to latents and back.

  Attributes:
    encode: with a key, a draw from the posterior where there is one.
    decode: latents to images.
    posterior: images to its mean and log variance, each like the latents; the
      latter is None where the encoder is not variational.
    answer: latents to `image` and what else the decoder tells: logits of
      `segments` `(b, h, w, k)` and of `classes` `(b, k)`.
  """

  encode: EncodeFn
  decode: DecodeFn
  posterior: Callable[[Array], tuple[Array, Array | None]]
  answer: Callable[[Array], dict[str, Array]]


class LossFn(Protocol):
  """What training minimises: the mean over the batch, with its parts; `keys`
  `(b,)` are one for each image, `told` is what a `Control` has to say."""

  def __call__(
    self, params: Params, batch: Batch, keys: Array, told: Any = None
  ) -> tuple[Array, Metrics]: ...
