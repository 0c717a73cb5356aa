"""The `Task` of upscalers, which enlarge images by a fixed factor.

They are trained on tiles and the small images that were made of them, the field
`low`; see `jaxgen.data.degraded`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp

from jaxgen import bicubic
from jaxgen.config.experiment import Experiment
from jaxgen.config.losses import PERCEPTUAL_TERMS, LossConfig
from jaxgen.data.degraded import LOW
from jaxgen.data.findings import Findings
from jaxgen.data.source import Element
from jaxgen.errors import UserError
from jaxgen.images import normalize
from jaxgen.losses import composite
from jaxgen.metrics.perceptual import perceptual_distance
from jaxgen.metrics.upscaling import enlarged_similarity
from jaxgen.models.build import build as build_model
from jaxgen.tasks.adversarial import with_discriminator
from jaxgen.tasks.autoencoder import loss_name
from jaxgen.tasks.companion import Companions
from jaxgen.tasks.space import identity_codec
from jaxgen.tasks.task import NO_FINDINGS, Task, UpscaleFn
from jaxgen.typing import (
  Array,
  Batch,
  ConditionNames,
  LossInputs,
  Metrics,
  Params,
)

ROWS = (  # of previews
  "small images, their pixels repeated",
  "enlarged by bicubic interpolation",
  "enlarged by the model",
  "held-out tiles",
)
LPIPS, LIKENESS = "lpips", "lpips_likeness"  # a score, and 1 minus it
COMPARED = ("psnr", "psnr_y", "ssim", LPIPS)  # with bicubic interpolation


def conditions(experiment: Experiment) -> tuple[str, ...]:
  """None: nothing but the small image is known."""
  return ()


def build(
  experiment: Experiment,
  names: ConditionNames,
  *,
  stage: int,
  resolution: int,
  companions: Companions,
) -> Task:
  """The task of an upscaler at one resolution; see `families.build`."""
  data = experiment.data
  model: Any = build_model(
    experiment.model_at(stage),
    resolution=resolution,
    channels=data.channels,
    factor=data.factor,
    remat=experiment.stages[stage].remat,
  )
  shape = resolution, resolution, data.channels
  upscale = functools.partial(_upscale, model)
  scores = Scores(experiment=experiment, upscale=upscale)
  metric = experiment.train.metric or "psnr"
  task = Task(
    model=model,
    init=functools.partial(_init, model, resolution // data.factor),
    loss=Upscaling(model=model, config=experiment.loss),
    evaluate=scores.evaluate,
    preview=scores.preview,
    preview_rows=ROWS,
    upscale=upscale,
    check_data=functools.partial(_check_data, experiment),
    evaluates_at_start=True,
    batch_fields=("image", LOW),
    metric=LIKENESS if metric == LPIPS else metric,
    loss_name=loss_name(experiment.loss, variational=False),
    latent_shape=shape,
    codec=functools.partial(identity_codec, shape),
  )
  if not experiment.adversarial.weight:
    return task
  size = experiment.stages[stage].batch_size
  return with_discriminator(task, experiment, shape=shape, batch_size=size)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Upscaling:
  """The `LossFn` of upscalers: weighted distances to the tiles.

  Its metrics are `mse` on [0, 1], and if there are several terms each of them
  raw (`loss/NAME`) and weighted (`weighted/NAME`).
  """

  model: Any
  config: LossConfig

  @functools.cached_property
  def _distances(self) -> dict[str, composite.Distance]:
    return composite.image_distances(self.config)

  def __call__(
    self, params: Params, batch: Batch, keys: Array, inputs: LossInputs
  ) -> tuple[Array, Metrics]:
    x = normalize(batch["image"])
    return self.compare(self.enlarge(params, batch), x)

  def enlarge(self, params: Params, batch: Batch) -> Array:
    """The small images of a batch enlarged."""
    return self.model.apply({"params": params}, normalize(batch[LOW]), True)

  def compare(self, images: Array, truth: Array) -> tuple[Array, Metrics]:
    """The loss of enlarged images, and metrics."""
    each = {k: f(images, truth) for k, f in self._distances.items()}
    total, terms = composite.weighted_sum(each, self.config.weights)
    metrics = {"mse": jnp.mean((images - truth) ** 2) / 4}
    return total, metrics | (terms if len(each) > 1 else {})


def _init(model: Any, side: int, key: Array) -> Params:
  low = jnp.zeros((1, side, side, model.channels))
  return model.init(key, low)["params"]


def _upscale(model: Any, params: Params) -> UpscaleFn:
  return lambda low: model.apply({"params": params}, low)


def _bicubic(low: Array, factor: int) -> Array:
  height, width = (factor * side for side in low.shape[1:3])
  return bicubic.resize(low, height, width)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scores:
  """Held-out scores and previews of an upscaler.

  Attributes:
    experiment: its config.
    upscale: params -> UpscaleFn.
  """

  experiment: Experiment
  upscale: Callable[[Params], UpscaleFn]

  def evaluate(
    self, params: Params, batch: Batch, inputs: LossInputs
  ) -> Metrics:
    """The scores of the model, and those of bicubic interpolation."""
    x, low = normalize(batch["image"]), normalize(batch[LOW])
    smooth = _bicubic(low, self.experiment.data.factor)
    scores = self._measure(self.upscale(params)(low), x)
    baseline = self._measure(smooth, x)
    compared = {f"bicubic_{k}": baseline[k] for k in COMPARED if k in baseline}
    return scores | compared

  def preview(
    self,
    params: Params,
    batch: Batch,
    keys: Array,
    *,
    density: Any,
    inputs: LossInputs,
  ) -> Array:
    """The rows `ROWS` of held-out tiles."""
    x, low = normalize(batch["image"]), normalize(batch[LOW])
    factor = self.experiment.data.factor
    repeated = low.repeat(factor, axis=1).repeat(factor, axis=2)
    enlarged = _bicubic(low, factor), self.upscale(params)(low)
    return jnp.stack([repeated, *enlarged, x])

  def _measure(self, images: Array, truth: Array) -> Metrics:
    config = self.experiment
    scores = enlarged_similarity(images, truth, border=config.data.factor)
    if config.train.metric != LPIPS:
      return scores
    weights = config.loss.perceptual_weights or None
    clipped = jnp.clip(images, -1, 1)
    distance = perceptual_distance("lpips_alex", weights)(clipped, truth)
    return scores | {LPIPS: distance, LIKENESS: 1 - distance}


def _check_data(
  experiment: Experiment,
  elements: Sequence[Element],
  findings: Findings = NO_FINDINGS,
) -> None:
  """Raise a UserError if a perceptual network has no weights, or does not take
  the images."""
  config, channels = experiment.loss, experiment.data.channels
  composite.image_distances(config)
  terms = [f"loss.{k}" for k in PERCEPTUAL_TERMS if k in config.weights]
  if experiment.train.metric == LPIPS:
    perceptual_distance("lpips_alex", config.perceptual_weights or None)
    terms.append("train.metric=lpips")
  if terms and channels not in (1, 3):
    raise UserError(
      f"{terms[0]}: its network takes 1 or 3 channels, but data.channels="
      f"{channels}."
    )
