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
from jaxgen.config.experiment import Experiment
from jaxgen.images import normalize
from jaxgen.losses import adversarial
from jaxgen.models.build import build_discriminator
from jaxgen.tasks.task import GENERATOR, Task
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


def with_discriminator(
  task: Task,
  experiment: Experiment,
  *,
  shape: tuple[int, int, int],
  batch_size: int,
) -> Task:
  """The task of an upscaler to images of a shape `(h, w, c)`, with a
  discriminator of them."""
  config, dtype = experiment.adversarial, experiment.model.dtype
  network = build_discriminator(config.width, dtype=dtype)

  def init(key: Array) -> Params:
    own = jax.random.fold_in(key, 1)
    new = network.init(own, jnp.zeros((1, *shape)))["params"]
    return {GENERATOR: task.init(key), DISCRIMINATOR: new}

  return dataclasses.replace(
    task,
    init=init,
    loss=Adversarial(
      generator=task.loss,
      discriminator=network,
      config=config,
      batch_size=batch_size,
    ),
    loss_name=f"{task.loss_name}, adversarial terms",
    rate_factors=((GENERATOR, 1.0), (DISCRIMINATOR, config.rate_factor)),
  )
