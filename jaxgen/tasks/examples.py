"""Training examples of denoisers: states, their noise, and conditions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from jaxgen.config.diffusion import DiffusionConfig
from jaxgen.diffusion import guidance
from jaxgen.diffusion.edm import per_image
from jaxgen.tasks.hint import Hint
from jaxgen.tasks.space import Frozen, Space
from jaxgen.typing import Array, Batch, DenoiseFn, Params

HINTS = 6  # stream of the keys of hints
STATES = 7  # stream of the keys of states


class Denoiser(Protocol):
  """The denoiser of parameters; with a key, its dropout is on."""

  def __call__(self, params: Params, key: Array | None = None) -> DenoiseFn: ...


class Example(NamedTuple):
  """Training examples.

  Attributes:
    y: clean states `(b, h, w, c)`.
    sigma: noise levels `(b,)`.
    unit: standard normal noise, shaped like `y`.
    cond: conditions after dropping, and what the network is told of hints.
  """

  y: Array
  sigma: Array
  unit: Array
  cond: dict[str, Array]

  def at(self, level: Array) -> Array:
    """The states with their noise, at levels `(b,)`."""
    return self.y + per_image(level) * self.unit


@dataclasses.dataclass(frozen=True, kw_only=True)
class Examples:
  """The training examples of a batch.

  Attributes:
    config: the section.
    space: what the denoiser works on.
    level: a key to a noise level.
    hint: the images that it is given, if any.
  """

  config: DiffusionConfig
  space: Space
  level: Callable[[Array], Array]
  hint: Hint | None = None

  def __call__(self, batch: Batch, keys: Array, frozen: Frozen) -> Example:
    """Examples, each from its own key `(b,)`."""
    y = self.space.states(batch, folded(keys, STATES), frozen)
    sigma, unit, cond = self._draw(y, conditions_of(self.config, batch), keys)
    if self.hint is not None:
      images = self.hint.image(batch, frozen)
      cond = cond | self.hint.draw(images, folded(keys, HINTS))
    return Example(y, sigma, unit, cond)

  def _draw(
    self, y: Array, cond: dict[str, Array], keys: Array
  ) -> tuple[Array, Array, dict[str, Array]]:
    def draw_image(key: Array, cond: dict[str, Array]) -> Any:
      level_key, noise_key, drop_key = jax.random.split(key, 3)
      unit = jax.random.normal(noise_key, y.shape[1:])
      level = self.level(level_key)
      cond = guidance.drop_conditions(
        drop_key, cond, drop_prob=self.config.cond_drop_prob
      )
      return level, unit, cond

    return jax.vmap(draw_image)(keys, cond)


def folded(keys: Array, stream: int) -> Array:
  """Keys `(b,)` of a stream of their own."""
  return jax.vmap(lambda key: jax.random.fold_in(key, stream))(keys)


def conditions_of(config: DiffusionConfig, batch: Batch) -> dict[str, Array]:
  """The conditions of a batch by name."""
  return {name: batch[name] for name in config.conditions}


def error(x: Array, y: Array) -> Array:
  """Mean squared difference of each image, `(b,)`."""
  return jnp.mean((x - y) ** 2, axis=(1, 2, 3))
