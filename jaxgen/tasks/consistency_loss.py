"""The losses of few-step models."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from jaxgen.config.consistency import ConsistencyConfig
from jaxgen.diffusion import edm, few_steps
from jaxgen.diffusion.few_steps import LEAST_LEVEL, NEXT_LEVEL
from jaxgen.models.attention import attention_tracing
from jaxgen.tasks import domains
from jaxgen.tasks.examples import (
  Denoiser,
  Example,
  Examples,
  error,
  folded,
)
from jaxgen.typing import Array, Batch, LossInputs, Metrics, Params

LEVELS = 8  # stream of the keys of second levels
OFFSET = 0.01  # of a loss in its weight
TO_THE_END = 0.5  # fraction of unequal levels of which the lower one is 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Curriculum:
  """The relative gap between the two levels of an image, by images seen.

  Attributes:
    factor: factor by which it shrinks at each step.
    steps: number of steps, of equal length.
    start: images before the first, in which the gap is 1: the lower level is 0.
    total: images of the run.
  """

  factor: float
  steps: int
  start: int
  total: int

  def gap(self, images: Array | int) -> Array:
    """The gap after so many images; nothing else determines it."""
    every = max(1, (self.total - self.start) // self.steps)
    seen = jnp.asarray(images, jnp.uint32)
    begun = seen >= self.start
    step = (seen - jnp.uint32(self.start)) // jnp.uint32(every)
    step = jnp.minimum(step, self.steps - 1).astype(jnp.float32) + 1
    return jnp.where(begun, self.factor**-step, 1.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tuning:
  """The `LossFn` of easy consistency tuning (Geng et al. 2024,
  arXiv:2406.14548): the answers at two levels of one noisy image agree,

      |D(x_t, t) - D(x_r, r)| / (t - r),

  with the data in place of the second at r = 0. Both calls have the same noise
  and dropout, and no gradient flows through the second.

  Attributes:
    config: the section.
    denoiser: the network, preconditioned.
    examples: the training examples.
    curriculum: the gap between t and r.
    domains: names of the domains whose losses are weighed.
  """

  config: ConsistencyConfig
  denoiser: Denoiser
  examples: Examples
  curriculum: Curriculum
  domains: tuple[str, ...] = ()

  def __call__(
    self, params: Params, batch: Batch, keys: Array, inputs: LossInputs
  ) -> tuple[Array, Metrics]:
    example = self.examples(batch, keys, inputs.frozen)
    gap = self.curriculum.gap(inputs.images)
    loss = self.each(params, example, keys[0], gap)
    sums = domains.metrics(loss, batch, self.domains)
    loss = domains.weigh(loss, batch, inputs)
    return jnp.mean(loss), {"consistency/gap": gap, **sums}

  def each(
    self, params: Params, example: Example, key: Array, gap: Array
  ) -> Array:
    """The loss of each image, `(b,)`."""
    denoise, t = self.denoiser(params, key), example.sigma
    r = few_steps.lower_level(t, gap, steepness=self.config.steepness)
    d = denoise(example.at(t), t, example.cond)
    told = jnp.maximum(r, LEAST_LEVEL)
    lower = denoise(example.at(r), told, example.cond)
    lower = jnp.where(edm.per_image(r) > 0, lower, example.y)
    target = jax.lax.stop_gradient(lower)
    return few_steps.distance(d, target, huber=self.config.huber) / (t - r)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeanFlow:
  """The `LossFn` of average velocities, see `few_steps.mean_flow_target`; at
  equal levels it is that of a denoiser.

  Attributes:
    config: the section.
    denoiser: the network, preconditioned, that is told `NEXT_LEVEL`.
    examples: the training examples.
    sigma_data: standard deviation of the states.
    pretrain_images: images at the start with equal levels.
    domains: names of the domains whose losses are weighed.
  """

  config: ConsistencyConfig
  denoiser: Denoiser
  examples: Examples
  sigma_data: float
  pretrain_images: int = 0
  domains: tuple[str, ...] = ()

  def __call__(
    self, params: Params, batch: Batch, keys: Array, inputs: LossInputs
  ) -> tuple[Array, Metrics]:
    example = self.examples(batch, keys, inputs.frozen)
    equal = jnp.where(
      jnp.asarray(inputs.images) < self.pretrain_images,
      1.0,
      self.config.equal_fraction,
    )
    t, r = self._levels(example.sigma, folded(keys, LEVELS), equal)
    loss = self.each(params, example, keys[0], t=t, r=r)
    sums = domains.metrics(loss, batch, self.domains)
    weight = jax.lax.stop_gradient(loss + OFFSET) ** -self.config.power
    mean = jnp.mean(domains.weigh(weight * loss, batch, inputs))
    return mean, {"mean_flow/error": jnp.mean(loss), **sums}

  def _levels(
    self, sigma: Array, keys: Array, equal: Array
  ) -> tuple[Array, Array]:
    """Levels r <= t: equal, or two that are drawn likewise, or one and 0."""
    pairs = jax.vmap(lambda key: jax.random.split(key))(keys)
    other = jax.vmap(self.examples.level)(pairs[:, 0])
    chance = jax.vmap(jax.random.uniform)(pairs[:, 1])
    ended = chance < equal + TO_THE_END * (1 - equal)
    other = jnp.where(chance < equal, sigma, jnp.where(ended, 0.0, other))
    return jnp.maximum(sigma, other), jnp.minimum(sigma, other)

  def each(
    self,
    params: Params,
    example: Example,
    key: Array,
    *,
    t: Array,
    r: Array,
  ) -> Array:
    """The loss of each image, `(b,)`."""
    denoiser = self.denoiser(params, key)
    cond = {**example.cond, NEXT_LEVEL: r}
    with attention_tracing("forward_mode"):
      d, target = few_steps.mean_flow_target(
        lambda x, t: denoiser(x, t, cond), example.y, example.unit, t=t, r=r
      )
    return edm.weight(t, self.sigma_data) * error(d, target)
