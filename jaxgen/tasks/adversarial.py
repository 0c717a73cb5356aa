"""The loss of an upscaler and of the discriminator of its images.

Both are in one tree of parameters, `generator` and `discriminator`, and are
trained at once by one scalar, whose stopped gradients say who learns from what.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.config.adversarial import AdversarialConfig
from jaxgen.images import normalize
from jaxgen.losses import adversarial
from jaxgen.tasks.task import GENERATOR
from jaxgen.typing import Array, Batch, LossInputs, Metrics, Params

DISCRIMINATOR = "discriminator"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adversarial:
  """The `LossFn` of a generator with terms of its own and a discriminator.

  Its metrics are those of the generator's terms, and of the adversarial ones.

  Attributes:
    generator: the loss of the generator but for the adversarial term.
    discriminator: the network that scores images.
    config: weights of the terms.
    batch_size: images of a step, by which steps are counted.
  """

  generator: Any
  discriminator: Any
  config: AdversarialConfig
  batch_size: int

  def __call__(
    self, params: Params, batch: Batch, keys: Array, inputs: LossInputs
  ) -> tuple[Array, Metrics]:
    real = normalize(batch["image"])
    fake = self.generator.enlarge(params[GENERATOR], batch)
    distance, metrics = self.generator.compare(fake, real)
    found = adversarial.terms(
      self._score, params[DISCRIMINATOR], real=real, fake=fake
    )
    weighted = self.config.weight * found.generator
    slopes = self._penalty(params[DISCRIMINATOR], real, fake, inputs)
    total = distance + weighted + found.discriminator + slopes
    return total, metrics | {
      "loss/adversarial": found.generator,
      "weighted/adversarial": weighted,
      "discriminator/loss": found.discriminator,
      "discriminator/penalty": slopes,
      "discriminator/gap": found.gap,
    }

  def _score(self, params: Params, images: Array) -> Array:
    return self.discriminator.apply({"params": params}, images)

  def _penalty(
    self, params: Params, real: Array, fake: Array, inputs: LossInputs
  ) -> Array:
    """The weighted penalties; 0 in steps between them."""
    every, gamma = self.config.penalty_every, self.config.gamma

    def weighted() -> Array:
      found = adversarial.penalty(self._score, params, real=real, fake=fake)
      return every * gamma * found

    if every == 1:
      return weighted()
    step = jnp.asarray(inputs.images) // self.batch_size
    return jax.lax.cond(step % every == 0, weighted, lambda: jnp.zeros(()))


def init(
  generator: Params, discriminator: Any, shape: tuple[int, ...], key: Array
) -> Params:
  """The parameters of a generator, and new ones of a discriminator of images of
  a shape `(h, w, c)`."""
  new = discriminator.init(key, jnp.zeros((1, *shape)))["params"]
  return {GENERATOR: generator, DISCRIMINATOR: new}
