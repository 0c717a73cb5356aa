"""Hints: images that a denoiser is given beside the noisy one.

A hint is made from the clean image or its mask in training. Its last channel
tells where there is one: an absent hint is zeros in all channels, and so is not
the same as a gray one. Noise on the hint is told as a number (conditioning
augmentation, Ho et al. 2021, arXiv:2106.15282), as a fraction of `hint.noise`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.diffusion import sigmas
from jaxgen.diffusion.edm import per_image
from jaxgen.models.conditioning import HINT, Numbers
from jaxgen.tasks.space import Frozen
from jaxgen.typing import Array, Batch

NOISE = "hint_noise"  # the condition with its noise level
LEAST = 0.01  # lowest noise level in training, as a fraction of the highest
OTHER = "other_"  # and a field: that of another image, in evaluation

HintFn = Callable[[Batch, Frozen], Array]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hint:
  """The hints of a run.

  Attributes:
    image: a batch to its hints `(b, h, w, channels)`, float32; no gradient
      flows into frozen parameters.
    channels: channels of a hint, without that of its presence.
    field: the field of a batch from which hints are made.
    drop_prob: fraction of images without a hint in training.
    noise: highest standard deviation of noise on hints in training.
  """

  image: HintFn
  channels: int
  field: str = "image"
  drop_prob: float = 0.0
  noise: float = 0.0

  @property
  def image_conditions(self) -> tuple[tuple[str, int], ...]:
    """What the network is told as an image."""
    return ((HINT, self.channels + 1),)

  @property
  def condition_sizes(self) -> tuple[tuple[str, Numbers], ...]:
    """What it is told as numbers."""
    return ((NOISE, Numbers(1)),) if self.noise else ()

  def with_others(
    self, tiles: Mapping[str, np.ndarray]
  ) -> Mapping[str, np.ndarray]:
    """Tiles with the field of the tile before each; a single one as it is."""
    field = tiles[self.field]
    if len(field) < 2:
      return tiles
    return {**tiles, OTHER + self.field: np.roll(field, 1, axis=0)}

  def tell_others(self, batch: Batch, frozen: Frozen) -> dict[str, Array]:
    """The conditions for hints of other images; empty if there are none."""
    if OTHER + self.field not in batch:
      return {}
    other = {**batch, self.field: batch[OTHER + self.field]}
    return self.tell(self.image(other, frozen))

  def tell(
    self,
    images: Array,
    *,
    present: Array | None = None,
    level: Array | None = None,
  ) -> dict[str, Array]:
    """The conditions of a network for hints `(b, h, w, channels)`.

    Args:
      images: the hints, with their noise.
      present: booleans `(b,)`, by default all True.
      level: the standard deviation of the noise `(b,)`, by default 0.
    """
    there = jnp.ones(len(images), bool) if present is None else present
    presence = jnp.ones((*images.shape[:-1], 1), images.dtype)
    told = jnp.concatenate([images, presence], -1)
    cond = {HINT: jnp.where(per_image(there), told, 0.0)}
    if not self.noise:
      return cond
    share = jnp.zeros(len(images)) if level is None else level / self.noise
    return cond | {NOISE: jnp.where(there, share, jnp.nan)[:, None]}

  def draw(self, images: Array, keys: Array) -> dict[str, Array]:
    """The conditions in training: some hints are dropped, others noisy, each by
    its own key `(b,)`."""
    split = jax.vmap(lambda key: jax.random.split(key, 3))(keys)
    drop = jax.vmap(jax.random.uniform)(split[:, 0])
    present = drop >= self.drop_prob
    if not self.noise:
      return self.tell(images, present=present)
    level = jax.vmap(self._draw_level)(split[:, 1])
    noisy = add_noise(images, level, split[:, 2])
    return self.tell(noisy, present=present, level=level)

  def _draw_level(self, key: Array) -> Array:
    low, high = LEAST * self.noise, self.noise
    return sigmas.draw_log_uniform(key, 1, sigma_min=low, sigma_max=high)[0]


def add_noise(images: Array, level: Array, keys: Array) -> Array:
  """Hints with noise of levels `(b,)`, each from its own key."""
  unit = jax.vmap(lambda key: jax.random.normal(key, images.shape[1:]))(keys)
  return images + per_image(level) * unit
