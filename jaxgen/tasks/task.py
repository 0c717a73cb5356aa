"""What a model family is to the training loop: a handful of functions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from jaxgen.options import Count, Options
from jaxgen.typing import Array, Batch, Codec, LossFn, Metrics, Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage(Options, section="stages"):
  """A stretch of training at one resolution and batch size."""

  resolution: Count
  images: Count  # seen in this stage
  batch_size: Count  # over all devices and processes
  accumulate: Count = 1  # microbatches that a step is split into


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
  """A model family at one resolution, as functions of its parameters.

  Batches hold `image` as the sources deliver it; `images.normalize` makes it
  float32 in [-1, 1].

  Attributes:
    init: key -> params.
    loss: what training minimises.
    evaluate: (params, batch) -> held-out metrics, each `(b,)`.
    preview: (params, batch) -> rows of images `(rows, columns, h, w, c)`.
    codec: params -> Codec.
    latent_shape: of one image's latent.
    inputs: what the loss reads of a batch.
    metric: the held-out metric, higher is better, that tells the best.
  """

  init: Callable[[Array], Params]
  loss: LossFn
  evaluate: Callable[[Params, Batch], Metrics]
  preview: Callable[[Params, Batch], Array]
  codec: Callable[[Params], Codec]
  latent_shape: tuple[int, ...]
  inputs: tuple[str, ...]
  metric: str
