"""The autoencoders as a `Task`: there and back, plain or variational."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.data.source import Element
from jaxgen.errors import UserError
from jaxgen.images import normalize
from jaxgen.latents import density
from jaxgen.losses.composite import LossOptions
from jaxgen.losses.kl import KLOptions, divergence
from jaxgen.metrics.images import similarity
from jaxgen.metrics.segmentation import confusion
from jaxgen.metrics.vae import summary, traits
from jaxgen.models.build import build
from jaxgen.tasks.reconstruction import Reconstruction, control, draw
from jaxgen.tasks.task import Names, Task
from jaxgen.typing import Array, Batch, Codec, Metrics, Params

UNLABELLED = 255  # in masks


def autoencoder(config, resolution: int, names: Names, **fields: Any) -> Task:
  """The task of a config at one resolution; `names` of what the data know,
  `fields` of the model, instead of the config's."""
  options, kl = LossOptions.read(config.loss), KLOptions.read(config.kl)
  channels = config.data.channels
  given = {"resolution": resolution, "channels": channels}
  if options.label:
    given["classes"] = _classes(options, names)
  model: Any = build(dict(config.model) | fields, **given)
  variational = getattr(model, "variational", False)
  heads = _heads(model, options)
  codec = functools.partial(_codec, model)
  image = jax.ShapeDtypeStruct((1, resolution, resolution, channels), "float32")

  def init(key: Array) -> Params:
    return model.init(key, jnp.zeros(image.shape, image.dtype))["params"]

  params = jax.eval_shape(init, jax.random.key(0))
  latent = jax.eval_shape(lambda p, x: codec(p).encode(x), params, image)
  return Task(
    model=model,
    init=init,
    loss=Reconstruction(
      model=model, options=options, kl=kl if variational else None
    ),
    evaluate=lambda params, batch: _evaluate(codec(params), heads, batch),
    summary=summary,
    preview=lambda params, batch, keys, prior: _preview(
      codec(params), latent.shape[1:], batch, keys, prior
    ),
    codec=codec,
    check=lambda elements: _check(model, options, elements),
    control=control(options, kl) if variational else None,
    latent_shape=latent.shape[1:],
    inputs=("image", *heads.values()),
    metric="psnr",
  )


def _classes(options: LossOptions, names: Names) -> int:
  """How many the latent tells apart."""
  if options.label not in names:
    known = ", ".join(names) or "nothing: there are no labels"
    raise UserError(
      f"loss.label: no {options.label!r} in the data; there is {known}."
    )
  if not options.classification:
    raise UserError("loss.label needs a loss.classification above 0.")
  return len(names[options.label])


def _heads(model: Any, options: LossOptions) -> dict[str, str]:
  """What the network tells besides the image, and where the data has it."""
  if bool(getattr(model, "segments", 0)) != bool(options.segmentation):
    raise UserError(
      "loss.segmentation and model.segments (of a conv_autoencoder) go "
      "together: both above 0, or none."
    )
  if options.classification and not options.label:
    raise UserError("loss.classification needs a loss.label.")
  masks = {"segments": "mask"} if options.segmentation else {}
  return masks | ({"classes": options.label} if options.label else {})


def _check(
  model: Any, options: LossOptions, elements: Sequence[Element]
) -> None:
  """Whether the data, and the weights of perceptual networks, are there."""
  options.distances()
  if not options.segmentation:
    return
  if "mask" not in elements[0]:
    raise UserError(
      "loss.segmentation: the data have no masks; name their folder in "
      "data.masks, or set loss.segmentation=0 and model.segments=0."
    )
  labels = np.unique(np.stack([x["mask"] for x in elements]))
  highest = int(labels[labels != UNLABELLED].max(initial=0))
  if highest >= model.segments:
    raise UserError(
      f"model.segments={model.segments}: the masks have labels up to "
      f"{highest}: at least {highest + 1} are needed ({UNLABELLED} is for no "
      "label)."
    )


def _codec(model: Any, params: Params) -> Codec:
  run = functools.partial(model.apply, {"params": params})

  def encode(images: Array, key: Array | None = None) -> Array:
    mean, log_variance = run(images, method="posterior")
    return mean if key is None else draw(mean, log_variance, key)

  return Codec(
    encode=encode,
    decode=lambda latents: run(latents, method="decode"),
    posterior=lambda images: run(images, method="posterior"),
    answer=lambda latents: run(latents, method="answer"),
  )


def _evaluate(codec: Codec, heads: dict[str, str], batch: Batch) -> Metrics:
  x = normalize(batch["image"])
  mean, log_variance = codec.posterior(x)
  answer = codec.answer(mean)
  found = similarity(answer["image"], x)
  for head, name in heads.items():
    found[head] = confusion(answer[head], batch[name])
  if log_variance is not None:
    found |= traits(mean, divergence(mean, log_variance))
  return found


def _preview(
  codec: Codec, latent: tuple[int, ...], batch: Batch, keys: Array, prior: Any
) -> Array:
  """Held-out images, their reconstructions, and draws from the prior."""
  x = normalize(batch["image"])
  drawn = density.draw(prior, density.PREVIEW, keys).reshape(-1, *latent)
  return jnp.stack([x, codec.decode(codec.encode(x)), codec.decode(drawn)])
