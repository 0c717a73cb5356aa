"""What an autoencoder minimises: weighted terms, and the divergence of its
posteriors where it is variational (the negative evidence bound)."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.errors import UserError
from jaxgen.images import normalize
from jaxgen.losses.composite import LossOptions
from jaxgen.losses.kl import KLOptions, divergence, paid
from jaxgen.tasks.task import Control
from jaxgen.typing import Array, Batch, Metrics, Params


def draw(mean: Array, log_variance: Array | None, keys: Array) -> Array:
  """Latents of posteriors, each image's by its own key `(b,)`; the means where
  there is no variance."""
  if log_variance is None:
    return mean
  one = lambda key: jax.random.normal(key, mean.shape[1:])  # noqa: E731
  return mean + jnp.exp(log_variance / 2) * jax.vmap(one)(keys)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reconstruction:
  """A `LossFn`.

  Its metrics are `mse` on [0, 1], and where there are several terms each one
  raw (`loss/NAME`) and weighted (`weighted/NAME`). With a divergence: `kl/nats`
  of an image, what is paid of a number (`kl/cost`), its weight `kl/beta` and
  share of the loss `kl/share`, and `loss_constant`, the loss with a weight of
  `kl.beta` throughout, which can be compared between epochs.
  """

  model: Any
  options: LossOptions
  kl: KLOptions | None = None

  @functools.cached_property
  def _distances(self) -> Any:
    return self.options.distances()

  def __call__(
    self, params: Params, batch: Batch, keys: Array, told: Any = None
  ) -> tuple[Array, Metrics]:
    x = normalize(batch["image"])
    run = functools.partial(
      self.model.apply, {"params": params}, rngs={"dropout": keys[0]}
    )
    mean, log_variance = run(x, True, method="posterior")
    latents = draw(mean, log_variance, keys)
    answer = run(latents, True, method="answer")
    total, metrics = self._terms(answer, x, batch)
    if self.kl is None:
      return total, metrics
    beta = self.kl.beta if told is None else told
    nats = divergence(mean, log_variance)
    cost = jnp.mean(paid(nats, self.kl.free_bits))
    loss = total + beta * cost
    return loss, metrics | {
      "kl/nats": jnp.mean(nats.reshape(len(nats), -1).sum(1)),
      "kl/cost": cost,
      "kl/beta": jnp.asarray(beta, jnp.float32),
      "kl/share": beta * cost / loss,
      "weighted/kl": beta * cost,
      "loss_constant": total + self.kl.beta * cost,
    }

  def _terms(
    self, answer: dict[str, Array], x: Array, batch: Batch
  ) -> tuple[Array, Metrics]:
    """The weighted sum of the terms, and what is reported of them."""
    y, weights = answer["image"], self.options.weights
    each = {k: distance(y, x) for k, distance in self._distances.items()}
    each |= self.options.of_labels(answer, batch)
    raw = {k: jnp.mean(v) for k, v in each.items()}
    weighted = {k: weights[k] * v for k, v in raw.items()}
    found = {"mse": jnp.mean((y - x) ** 2) / 4}  # on [0, 1]
    if len(raw) > 1 or self.kl:
      found |= {f"loss/{k}": v for k, v in raw.items()}
      found |= {f"weighted/{k}": v for k, v in weighted.items()}
    return jnp.sum(jnp.stack([*weighted.values()])), found


def control(options: LossOptions, kl: KLOptions) -> Control:
  """What moves the weight of the divergence."""
  if kl.adaptive and options.log_mse:
    raise UserError(
      "kl.adaptive and loss.log_mse: a share of a logarithm has no meaning; "
      "set loss.log_mse=0 and another term."
    )

  def learn(state: Any, metrics: Metrics, images: Array, batch: int) -> Any:
    share = metrics["kl/beta"] * metrics["kl/cost"] / metrics["loss"]
    return kl.learn(state, share, images, batch)

  return Control(
    begin=kl.begin,
    tell=kl.weight,
    learn=learn,
    report=kl.report,
    settles=kl.settles,
  )
