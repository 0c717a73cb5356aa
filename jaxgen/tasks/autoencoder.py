"""The autoencoders as a `Task`: reconstruct, and nothing else."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import priors
from jaxgen.losses.reconstruction import RECONSTRUCTION, LossOptions
from jaxgen.metrics.images import similarity
from jaxgen.models.build import build
from jaxgen.tasks.images import normalize
from jaxgen.tasks.task import Names, Task
from jaxgen.typing import Array, Batch, Codec, Metrics, Params


def autoencoder(config, resolution: int, names: Names, **fields: Any) -> Task:
  """The task of a config at one resolution; `fields` of the model, instead of
  the config's."""
  channels = config.data.channels
  section = dict(config.model) | fields
  model = build(section, resolution=resolution, channels=channels)
  options = LossOptions.read(config.loss)
  image = jax.ShapeDtypeStruct((1, resolution, resolution, channels), "float32")

  def init(key: Array) -> Params:
    return model.init(key, jnp.zeros(image.shape, image.dtype))["params"]

  def codec(params: Params) -> Codec:
    def encode(images: Array, key: Array | None = None) -> Any:
      return model.apply({"params": params}, images, method="encode")

    def decode(latents: Array) -> Any:
      return model.apply({"params": params}, latents, method="decode")

    return Codec(encode=encode, decode=decode)

  params = jax.eval_shape(init, jax.random.key(0))
  latent = jax.eval_shape(lambda p, x: codec(p).encode(x), params, image)
  return Task(
    model=model,
    init=init,
    loss=_loss(model, options.reconstruction),
    evaluate=lambda params, batch: _evaluate(codec(params), batch),
    preview=lambda params, batch, keys, prior: _preview(
      codec(params), latent.shape[1:], batch, keys, prior
    ),
    codec=codec,
    latent_shape=latent.shape[1:],
    inputs=("image",),
    metric="psnr",
  )


def _loss(model, name: str):
  distance = RECONSTRUCTION[name]

  def loss(params: Params, batch: Batch, keys: Array) -> tuple[Array, Metrics]:
    x = normalize(batch["image"])
    y = model.apply({"params": params}, x, True, rngs={"dropout": keys[0]})
    value = jnp.mean(distance(y, x))
    return value, {"mse": jnp.mean((y - x) ** 2) / 4}  # on [0, 1]

  return loss


def _evaluate(codec: Codec, batch: Batch) -> Metrics:
  x = normalize(batch["image"])
  return similarity(codec.decode(codec.encode(x)), x)


def _preview(
  codec: Codec, latent: tuple[int, ...], batch: Batch, keys: Array, prior: Any
) -> Array:
  """Held-out images, their reconstructions, and draws from the prior."""
  x = normalize(batch["image"])
  drawn = priors.draw(prior, priors.PREVIEW, keys).reshape(-1, *latent)
  return jnp.stack([x, codec.decode(codec.encode(x)), codec.decode(drawn)])
