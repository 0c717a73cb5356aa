"""What a model family is to the training loop: a handful of functions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from jaxgen.config.fields import NonNegativeInt, Options, Positive, PositiveInt
from jaxgen.data.source import Element
from jaxgen.models.layers import Remat
from jaxgen.typing import (
  Array,
  Batch,
  Codec,
  ConditionNames,
  DenoiseFn,
  LossFn,
  Metrics,
  Params,
)

Names = ConditionNames  # of conditions, their values


@dataclasses.dataclass(frozen=True, kw_only=True)
class Control:
  """What moves the weights of a loss while it is trained; its state is a part
  of the training's.

  Attributes:
    begin: () -> the state before the first step.
    tell: (state, images seen) -> what the loss is told in this step.
    learn: (state, metrics of the step, images seen before it, its images) ->
      the state after it.
    report: (state, images seen) -> more metrics.
    settles: images after which the weights are whole; held-out metrics of
      before do not count for the best checkpoint.
  """

  begin: Callable[[], Any]
  tell: Callable[[Any, Array], Any]
  learn: Callable[[Any, Metrics, Array, int], Any]
  report: Callable[[Any, Array], Metrics]
  settles: int = 0


def anything(elements: Sequence[Element]) -> None:
  """Any data will do."""


def as_it_is(means: dict[str, Any]) -> dict[str, float]:
  """Means that are scores already."""
  return {k: float(v) for k, v in means.items()}


PACED = ("images", "rate", "warmup_images", "fade_images")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage(Options, section="stages"):
  """A stretch of training at one resolution and batch size."""

  resolution: PositiveInt
  images: PositiveInt  # seen in this stage, at most
  batch_size: PositiveInt  # over all devices and processes
  accumulate: PositiveInt = 1  # microbatches that a step is split into
  patch_size: NonNegativeInt = 0  # of the model in this stage; 0: the config's
  rate: Positive = 1.0  # factor of the learning rate
  warmup_images: NonNegativeInt = 0  # at the start of the stage
  fade_images: NonNegativeInt = (
    0  # in which what is new fades in: blocks, or detail
  )
  remat: Remat = "none"  # what is computed again

  @property
  def length(self) -> int:
    """Images of the stage at most: whole batches."""
    return -(-self.images // self.batch_size) * self.batch_size

  @property
  def shapes(self) -> tuple:
    """What its programs are compiled for: all but what a `Pace` tells."""
    names = [x.name for x in dataclasses.fields(self)]
    return tuple(getattr(self, x) for x in names if x not in PACED)

  @property
  def model(self) -> dict[str, Any]:
    """Fields of the model that the stage sets."""
    fields = {"patch_size": self.patch_size, "remat": self.remat}
    return {k: v for k, v in fields.items() if v not in (0, "none")}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
  """A model family at one resolution, as functions of its parameters.

  Batches hold `image` as the sources deliver it; `images.normalize` makes it
  float32 in [-1, 1].

  Attributes:
    model: the network, a flax module.
    init: key -> params.
    loss: what training minimises.
    evaluate: (params, batch) -> held-out metrics, each `(b, ...)`.
    summary: their means over images -> the scores, one number each.
    preview: (params, batch, keys, prior) -> rows of float images
      `(rows, columns, h, w, c)`, held-out ones first, new ones last; `keys` are
      for the new ones, `prior` is fitted to latents (None without a codec).
    inputs: what loss and evaluation read of a batch.
    metric: the held-out metric, higher is better, that tells the best.
    codec: params -> Codec; None: the model has no latents.
    latent_shape: of one image's latent.
    denoiser: params -> DenoiseFn; None: the model is no denoiser.
    check: elements of the data -> nothing, or a UserError where they lack what
      the loss needs.
    control: what moves the loss's weights; None: they stay as they are.
    faded: (params, share) -> params, with the blocks that are new faded in by
      a share from 0 to 1; None: the model has no such blocks.
  """

  model: Any
  init: Callable[[Array], Params]
  loss: LossFn
  evaluate: Callable[[Params, Batch], Metrics]
  preview: Callable[[Params, Batch, Array, Any], Array]
  inputs: tuple[str, ...]
  metric: str
  codec: Callable[[Params], Codec] | None = None
  latent_shape: tuple[int, ...] = ()
  denoiser: Callable[[Params], DenoiseFn] | None = None
  summary: Callable[[dict[str, Any]], dict[str, float]] = as_it_is
  check: Callable[[Sequence[Element]], None] = anything
  control: Control | None = None
  faded: Callable[[Params, Array], Params] | None = None
