"""Embedding of a denoiser's inputs other than the noisy image."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from jaxgen.models.layers import ZEROS, Dense
from jaxgen.typing import Array


@dataclasses.dataclass(frozen=True)
class Numbers:
  """The size of a condition of so many numbers instead of a value."""

  count: int


# (name, number of values)
ConditionSizes = tuple[tuple[str, int | Numbers], ...]
ImageConditions = tuple[tuple[str, int], ...]  # (name, channels)
Cond = Mapping[str, Array] | None  # conditions of a batch by name
HINT = "hint"  # the image condition that a task makes
FEATURES, FINEST = 16, 30.0  # of each number, and their highest frequency


def fourier_features(
  x: Float[Array, " b"], num: int, *, highest: float = 1000.0
) -> Float[Array, "b {num}"]:
  """Cosines and sines of `x` at `num / 2` frequencies from 1 to `highest`,
  evenly spaced on a logarithmic scale."""
  frequencies = jnp.geomspace(1.0, highest, num // 2)
  angles = x[:, None] * frequencies[None]
  return jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], axis=-1)


def concat_images(
  x: Float[Array, "b h w c"], cond: Cond, images: ImageConditions
) -> Float[Array, "b h w d"]:
  """`x` with image conditions, float `(b, h, w, channels)` each, as additional
  channels; zeros for those that are missing."""
  parts = [x]
  for name, channels in images:
    shape = (*x.shape[:-1], channels)
    image = (cond or {}).get(name, jnp.zeros(shape, x.dtype))
    parts.append(jnp.broadcast_to(image, shape))
  return jnp.concatenate(parts, axis=-1) if images else x


class Conditioning(nn.Module, kw_only=True):
  """An embedding of noise level, resolution and named conditions.

  Each condition has an embedding table with one extra row: row 0 represents a
  missing value. The rows are summed, so any condition may be left out. One of
  numbers is embedded as the noise level is, and adds nothing at first.

  Attributes:
    width: features of the embedding.
    condition_sizes: name and number of values of each condition.
    highest: highest frequency of the features of the noise level.
    dtype: type of the embedding.
  """

  width: int
  condition_sizes: ConditionSizes
  highest: float = 1000.0
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(
    self, c_noise: Float[Array, " b"], cond: Cond, side: int
  ) -> Float[Array, "b d"]:
    """The embedding `(b, width)`.

    Args:
      c_noise: the noise level.
      cond: int32 `(b,)` by name, or numbers `(b, k)`; -1, NaN or an absent
        name means missing.
      side: side of the image in pixels.
    """
    noise = fourier_features(c_noise, self.width, highest=self.highest)
    x = Dense(self.width, name="noise")(noise)
    size = jnp.log2(jnp.full(c_noise.shape, side / 32.0))
    x = x + Dense(self.width, kernel_init=ZEROS, name="resolution")(
      fourier_features(size, 32)
    )
    missing = jnp.full(c_noise.shape, -1)
    for name, values in self.condition_sizes:
      if isinstance(values, Numbers):
        nothing = jnp.full((len(c_noise), values.count), jnp.nan)
        x = x + self._numbers(name, (cond or {}).get(name, nothing))
        continue
      table = nn.Embed(values + 1, self.width, name=f"condition_{name}")
      x = x + table((cond or {}).get(name, missing) + 1)
    x = Dense(self.width, name="hidden")(nn.silu(x))
    return nn.silu(x).astype(self.dtype)

  def _numbers(self, name: str, x: Float[Array, "b k"]) -> Float[Array, "b d"]:
    """The embedding of numbers; 0 if one of an image is missing."""
    known = jnp.all(jnp.isfinite(x), 1, keepdims=True)
    flat = jnp.where(known, x, 0.0).reshape(-1)
    features = fourier_features(flat, FEATURES, highest=FINEST)
    layer = Dense(self.width, kernel_init=ZEROS, name=f"numbers_{name}")
    return jnp.where(known, layer(features.reshape(len(x), -1)), 0.0)
