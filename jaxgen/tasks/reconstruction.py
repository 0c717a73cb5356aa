"""The loss of autoencoders: weighted terms, and the divergence of posteriors if
variational (the negative evidence lower bound)."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.config.losses import KLConfig, LossConfig
from jaxgen.errors import UserError
from jaxgen.images import normalize, resize
from jaxgen.losses import composite
from jaxgen.losses import kl as kl_losses
from jaxgen.metrics.images import SSIM_WINDOW
from jaxgen.tasks.task import ControlState, LossController
from jaxgen.typing import Array, Batch, LossInputs, Metrics, Params


def draw(mean: Array, log_variance: Array | None, keys: Array) -> Array:
  """Samples of the posteriors, each image's from its own key `(b,)`; the means
  if there is no variance."""
  if log_variance is None:
    return mean
  noise = lambda key: jax.random.normal(key, mean.shape[1:])  # noqa: E731
  return mean + jnp.exp(log_variance / 2) * jax.vmap(noise)(keys)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reconstruction:
  """The `LossFn` of autoencoders; `kl` is None if the model is not variational.

  Its metrics are `mse` on [0, 1], and if there are several terms each of them
  raw (`loss/NAME`) and weighted (`weighted/NAME`). For the divergence:
  `kl/nats` per image, `kl/cost` per dimension, its weight `kl/beta` and share
  of the loss `kl/share`, and `loss_constant`, the loss with a constant weight
  of `kl.beta`, which is comparable over time.
  """

  model: Any
  config: LossConfig
  kl: KLConfig | None = None

  @functools.cached_property
  def _distances(self) -> dict[str, composite.Distance]:
    return composite.image_distances(self.config)

  def __call__(
    self, params: Params, batch: Batch, keys: Array, inputs: LossInputs
  ) -> tuple[Array, Metrics]:
    x = normalize(batch["image"])
    run = functools.partial(
      self.model.apply, {"params": params}, rngs={"dropout": keys[0]}
    )
    mean, log_variance = run(x, True, method="posterior")
    latents = draw(mean, log_variance, keys)
    outputs = run(latents, True, method="outputs")
    if self.config.equivariance:
      small = resize(latents, latents.shape[1] // 2)
      outputs["small"] = run(small, True, method="decode")
    total, metrics = self._terms(outputs, x, batch)
    if self.kl is None:
      return total, metrics
    nats = kl_losses.divergence(mean, log_variance)
    beta = inputs.weights.get("kl", self.kl.beta)
    return self._with_divergence(self.kl, total, nats, beta, metrics)

  def _with_divergence(
    self, kl: KLConfig, total: Array, nats: Array, beta: Any, metrics: Metrics
  ) -> tuple[Array, Metrics]:
    cost = jnp.mean(kl_losses.cost(nats, kl.free_bits))
    loss = total + beta * cost
    return loss, metrics | {
      "kl/nats": jnp.mean(nats.reshape(len(nats), -1).sum(1)),
      "kl/cost": cost,
      "kl/beta": jnp.asarray(beta, jnp.float32),
      "kl/share": beta * cost / loss,
      "weighted/kl": beta * cost,
      "loss_constant": total + kl.beta * cost,
    }

  def _terms(
    self, outputs: dict[str, Array], x: Array, batch: Batch
  ) -> tuple[Array, Metrics]:
    """The weighted sum of the terms, and their metrics."""
    y, weights = outputs["image"], self.config.weights
    each = {k: distance(y, x) for k, distance in self._distances.items()}
    each |= composite.label_terms(self.config, outputs, batch)
    if "small" in outputs:
      each["equivariance"] = self._equivariance(outputs["small"], x)
    total, terms = composite.weighted_sum(each, weights)
    metrics = {"mse": jnp.mean((y - x) ** 2) / 4}  # on [0, 1]
    return total, metrics | (terms if len(each) > 1 or self.kl else {})

  def _equivariance(self, y: Array, x: Array) -> Array:
    """The image terms `(b,)` of decoded latents of half the size against the
    images of half the size (scale equivariance: Skorokhodov et al. 2025,
    arXiv:2502.14831)."""
    x, weights = resize(x, y.shape[1]), self.config.weights
    terms = [weights[k] * d(y, x) for k, d in self._distances.items()]
    return jnp.sum(jnp.stack(terms), axis=0)


def check_equivariance(
  config: LossConfig, *, model: str, latent_shape: tuple[int, ...], side: int
) -> None:
  """Raise a UserError unless latents can be halved, and decoded at half the
  size: other decoders than convolutional ones know a single size.

  Args:
    config: the weights of the loss.
    model: name of the network.
    latent_shape: shape of a latent.
    side: side of the images in pixels.
  """
  label = f"loss.equivariance={config.equivariance}"
  grid = model == "conv_autoencoder" and len(latent_shape) == 3
  if not grid or latent_shape[0] % 2 or latent_shape[0] < 4:
    raise UserError(
      f"{label}: expected model.name=conv_autoencoder, model.latent_dim=0 and "
      "latents with an even side of at least 4 pixels, got "
      f"{model} with latents of {'x'.join(map(str, latent_shape))}."
    )
  if config.ssim and side // 2 < SSIM_WINDOW:
    raise UserError(
      f"{label} with loss.ssim: expected images of at least {2 * SSIM_WINDOW} "
      f"pixels, got {side}."
    )


def controller(config: LossConfig, kl: KLConfig) -> LossController:
  """The controller of the divergence's weight."""
  if kl.adaptive and config.log_mse:
    raise UserError(
      "kl.adaptive and loss.log_mse: the share of KL in a logarithm is "
      "undefined; set loss.log_mse=0 and another term."
    )

  def weights(state: ControlState, images: Array) -> Mapping[str, Array]:
    return {"kl": kl_losses.beta(kl, state, images)}

  def update(
    state: ControlState, metrics: Metrics, *, images: Array, batch: int
  ) -> ControlState:
    share = metrics["kl/beta"] * metrics["kl/cost"] / metrics["loss"]
    return kl_losses.update(kl, state, share=share, images=images, batch=batch)

  return LossController(
    initial_state=functools.partial(kl_losses.initial_state, kl),
    weights=weights,
    update=update,
    report=functools.partial(kl_losses.report, kl),
    full_from=kl.full_from,
  )
