"""What a denoiser works on: images, or states made of them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.images import normalize
from jaxgen.typing import Array, Batch, Codec, Params

NUMBERS = "numbers"  # the name of a space's numbers among frozen parameters
Frozen = Mapping[str, Params]  # parameters that are not trained, by name
Shape = tuple[int, int, int]


class StatesFn(Protocol):
  """A batch to clean states `(b, h, w, c)`, float32; no gradient flows into
  frozen parameters."""

  def __call__(self, batch: Batch, keys: Array, frozen: Frozen) -> Array:
    """`keys` `(b,)` are for states that are drawn, such as latents of a VAE."""
    ...


class SpaceCodec(Protocol):
  """The codec between images in [-1, 1] and states."""

  def __call__(self, frozen: Frozen, hint: Array | None) -> Codec:
    """`hint` `(b, h, w, c)` is the hint of the images, if there is one."""
    ...


def no_numbers(states: np.ndarray) -> Mapping[str, np.ndarray]:
  """No numbers."""
  return {}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Stored:
  """What is stored of training tiles instead of their images.

  Attributes:
    shapes: shape of each field of a batch, float32.
    encode: parameters of the codec, and images, to these fields.
  """

  shapes: Mapping[str, tuple[int, ...]]
  encode: Callable[[Params, Array], Mapping[str, Array]]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Space:
  """The states that a denoiser works on, and samplers walk.

  Attributes:
    shape: (height, width, channels) of a state; a vector is (1, 1, d).
    states: a training batch to states.
    codec: images to states and back.
    cell: side in pixels of the square that a position of a state stands for; 0:
      positions are no places of the image.
    stored: what training batches have instead of images; None: images.
    numbers: statistics of training tiles that `states` and `codec` read from
      `frozen[NUMBERS]`: values that change nothing.
    fit: states `(n, h, w, c)` under these values -> the statistics.
  """

  shape: Shape
  states: StatesFn
  codec: SpaceCodec
  cell: int = 1
  stored: Stored | None = None
  numbers: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
  fit: Callable[[np.ndarray], Mapping[str, np.ndarray]] = no_numbers


def image_keys(images: Array) -> Array:
  """A key for each image `(b,)`, a function of its pixels."""
  bits = jax.lax.bitcast_convert_type(images, jnp.uint32)
  order = jnp.arange(images[0].size, dtype=jnp.uint32)
  weights = 2 * order.reshape(1, *images.shape[1:]) + 1
  digests = jnp.sum(bits * weights, axis=(1, 2, 3), dtype=jnp.uint32)
  return jax.vmap(lambda x: jax.random.fold_in(jax.random.key(0), x))(digests)


def tiles_encoder(space: Space) -> Callable[[Params, Array], Array]:
  """Frozen parameters, and tiles as a source has them, to states."""

  def encode(frozen: Params, tiles: Array) -> Array:
    keys = image_keys(normalize(tiles))
    return space.states({"image": tiles}, keys, frozen)

  return encode


def pixels(shape: Shape) -> Space:
  """The images themselves."""
  return Space(
    shape=shape,
    states=lambda batch, keys, frozen: normalize(batch["image"]),
    codec=functools.partial(_identity, shape),
  )


def _identity(shape: Shape, frozen: Frozen, hint: Array | None) -> Codec:
  return identity_codec(shape, {})


def identity_codec(shape: tuple[int, ...], params: Params) -> Codec:
  """The codec of a pixel-space model, of images of a shape."""
  return Codec(
    encode=lambda images, key=None: images,
    decode=lambda latents: latents,
    latent_shape=shape,
  )
