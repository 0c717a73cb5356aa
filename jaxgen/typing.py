"""Array aliases and the protocols that the folders of jaxgen share."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import jax

Array = jax.Array
Params = Any  # a nested dict of arrays
Batch = Mapping[str, Array]
Metrics = dict[str, Array]


class DenoiseFn(Protocol):
  """A denoiser: the posterior mean of clean images given noisy ones."""

  def __call__(self, x: Array, sigma: Array, cond: Any = None) -> Array:
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
  """Images to latents and back."""

  encode: EncodeFn
  decode: DecodeFn


class LossFn(Protocol):
  """What training minimises: the mean over the batch, with its parts; `keys`
  `(b,)` are one for each image."""

  def __call__(
    self, params: Params, batch: Batch, keys: Array
  ) -> tuple[Array, Metrics]: ...
