"""The `Task` of autoencoders, plain or variational."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.config.experiment import Experiment
from jaxgen.config.losses import PERCEPTUAL_TERMS, TERM_NAMES, LossConfig
from jaxgen.data.findings import Findings
from jaxgen.data.source import Element
from jaxgen.errors import UserError
from jaxgen.formats.problems import listed
from jaxgen.images import normalize
from jaxgen.latents import density as densities
from jaxgen.losses import composite
from jaxgen.losses.kl import divergence
from jaxgen.metrics.images import similarity
from jaxgen.metrics.segmentation import confusion
from jaxgen.metrics.vae import summary, traits
from jaxgen.models.build import build as build_model
from jaxgen.tasks.companion import Companions
from jaxgen.tasks.reconstruction import (
  Reconstruction,
  check_equivariance,
  controller,
  draw,
)
from jaxgen.tasks.task import NO_FINDINGS, UNLABELED, Task
from jaxgen.typing import (
  Array,
  Batch,
  Codec,
  ConditionNames,
  LossInputs,
  Metrics,
  Params,
)

ROWS = (  # of previews
  "held-out tiles",
  "their reconstructions",
  "new images, decoded from a Gaussian mixture fitted to the latents",
)


def conditions(experiment: Experiment) -> tuple[str, ...]:
  """The label predicted from the latent, if any."""
  label = experiment.loss.label
  return (label,) if label else ()


def build(
  experiment: Experiment,
  names: ConditionNames,
  *,
  stage: int,
  resolution: int,
  companions: Companions,
) -> Task:
  """The task of an autoencoder at one resolution; see `families.build`."""
  config, kl = experiment.loss, experiment.kl
  options = experiment.model_at(stage)
  options.check(resolution)
  if experiment.data.balance == "adaptive":
    raise UserError(
      "data.balance=adaptive: expected natural, uniform or inverse for an"
      " autoencoder."
    )
  channels = experiment.data.channels
  classes = _num_classes(config, names)
  heads = _heads(experiment)
  model: Any = build_model(
    options,
    resolution=resolution,
    channels=channels,
    remat=experiment.stages[stage].remat,
    num_classes=classes,
  )
  variational = getattr(model, "variational", False)
  init, latent_shape = _shapes(model, (resolution, resolution, channels))
  codec = functools.partial(_codec, model, latent_shape)
  if config.equivariance:
    check_equivariance(
      config,
      model=experiment.model.name,
      latent_shape=latent_shape,
      side=resolution,
    )

  def evaluate(params: Params, batch: Batch, inputs: LossInputs) -> Metrics:
    return _evaluate(model, heads, params, batch)

  def preview(
    params: Params,
    batch: Batch,
    keys: Array,
    *,
    density: Any,
    inputs: LossInputs,
  ) -> Array:
    drawn = densities.draw(density, densities.PREVIEW, keys)
    return _preview(codec(params), drawn.reshape(-1, *latent_shape), batch)

  return Task(
    model=model,
    init=init,
    loss=Reconstruction(
      model=model, config=config, kl=kl if variational else None
    ),
    evaluate=evaluate,
    summarize=summary,
    preview=preview,
    preview_rows=ROWS,
    codec=codec,
    draws_latents=True,
    check_data=functools.partial(_check_data, experiment),
    controller=controller(config, kl) if variational else None,
    latent_shape=latent_shape,
    batch_fields=("image", *heads.values()),
    metric="psnr",
    loss_name=loss_name(config, variational=variational),
  )


def loss_name(config: LossConfig, *, variational: bool) -> str:
  """The name of the only term of the loss, or "loss" and the names of all."""
  names = [TERM_NAMES[term] for term in config.weights]
  names += ["KL"] if variational else []
  return names[0] if len(names) == 1 else f"loss ({' + '.join(names)})"


def _shapes(model: Any, shape: tuple[int, ...]) -> tuple[Any, tuple[int, ...]]:
  """The initializer of a model, and the shape of one latent."""
  image = jax.ShapeDtypeStruct((1, *shape), "float32")

  def init(key: Array) -> Params:
    return model.init(key, jnp.zeros(image.shape, image.dtype))["params"]

  params = jax.eval_shape(init, jax.random.key(0))
  encode = lambda p, x: model.apply({"params": p}, x, method="posterior")[0]  # noqa: E731
  return init, jax.eval_shape(encode, params, image).shape[1:]


def _num_classes(config: LossConfig, names: ConditionNames) -> int:
  """The number of classes predicted from the latent."""
  if config.classification and not config.label:
    raise UserError("loss.classification needs loss.label.")
  if not config.label:
    return 0
  if config.label not in names:
    known = ", ".join(names) or "none, the data have no labels"
    raise UserError(
      f"loss.label={config.label!r}: not in the data; available: {known}."
    )
  if not config.classification:
    raise UserError("loss.label needs loss.classification > 0.")
  return len(names[config.label])


def _heads(experiment: Experiment) -> Mapping[str, str]:
  """The outputs of the network besides the image, and their batch fields."""
  config = experiment.loss
  num_classes = getattr(experiment.model, "num_seg_classes", 0)
  if bool(num_classes) != bool(config.segmentation):
    raise UserError(
      "loss.segmentation and model.num_seg_classes (of a conv_autoencoder): "
      "expected both > 0 or both 0."
    )
  masks = {"segments": "mask"} if config.segmentation else {}
  return masks | ({"classes": config.label} if config.label else {})


def _check_data(
  experiment: Experiment,
  elements: Sequence[Element],
  findings: Findings = NO_FINDINGS,
) -> None:
  """Raise a UserError if masks, one of their classes or weights of perceptual
  networks are missing, or if there are too few classes."""
  _check_perceptual(experiment)
  if not experiment.loss.segmentation:
    return
  if "mask" not in elements[0]:
    raise UserError(
      "loss.segmentation: the data have no masks; set data.masks to their "
      "folder, or loss.segmentation=0 and model.num_seg_classes=0."
    )
  num_classes = getattr(experiment.model, "num_seg_classes", 0)
  seen = np.unique(np.stack([x["mask"] for x in elements])).tolist()
  _check_labels(num_classes, {*seen, *findings.masks} - {UNLABELED})
  _check_occurrence(num_classes, findings.train_masks)


def _check_perceptual(experiment: Experiment) -> None:
  """Raise a UserError if a perceptual term has no weights, or if its network
  does not take the images."""
  composite.image_distances(experiment.loss)
  terms = [k for k in PERCEPTUAL_TERMS if k in experiment.loss.weights]
  channels = experiment.data.channels
  if terms and channels not in (1, 3):
    raise UserError(
      f"loss.{terms[0]}: its network takes 1 or 3 channels, but data.channels="
      f"{channels}; set loss.{terms[0]}=0."
    )


def _check_labels(num_classes: int, labels: Collection[int]) -> None:
  highest = max(labels, default=0)
  if highest >= num_classes:
    raise UserError(
      f"model.num_seg_classes={num_classes}: expected at least {highest + 1}, "
      f"for mask labels up to {highest} ({UNLABELED}: no label)."
    )


def _check_occurrence(num_classes: int, shares: Mapping[int, float]) -> None:
  """Raise a UserError if no pixel of training masks has some label."""
  missing = [str(x) for x in range(num_classes) if not shares.get(x)]
  if shares and missing:
    present = [f"{x} ({100 * p:.3g} %)" for x, p in shares.items()]
    raise UserError(
      f"model.num_seg_classes={num_classes}: no training mask of data.masks "
      f"has a pixel with label {listed(missing)}; they have {listed(present)} "
      f"({UNLABELED}: no label)."
    )


def _codec(model: Any, latent_shape: tuple[int, ...], params: Params) -> Codec:
  run = functools.partial(model.apply, {"params": params})

  def encode(images: Array, key: Array | None = None) -> Array:
    mean, log_variance = run(images, method="posterior")
    return mean if key is None else draw(mean, log_variance, key)

  return Codec(
    encode=encode,
    decode=lambda latents: run(latents, method="decode"),
    latent_shape=latent_shape,
    posterior=(
      (lambda images: run(images, method="posterior"))
      if getattr(model, "variational", False)
      else None
    ),
  )


def _evaluate(
  model: Any, heads: Mapping[str, str], params: Params, batch: Batch
) -> Metrics:
  x = normalize(batch["image"])
  run = functools.partial(model.apply, {"params": params})
  mean, log_variance = run(x, method="posterior")
  outputs = run(mean, method="outputs")
  metrics = similarity(outputs["image"], x)
  for head, field in heads.items():
    metrics[head] = confusion(outputs[head], batch[field])
  if log_variance is not None:
    metrics |= traits(mean, divergence(mean, log_variance))
  return metrics


def _preview(codec: Codec, drawn: Array, batch: Batch) -> Array:
  """Held-out images, their reconstructions, and decoded samples."""
  x = normalize(batch["image"])
  return jnp.stack([x, codec.decode(codec.encode(x)), codec.decode(drawn)])
