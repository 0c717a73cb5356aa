"""A model family as the training loop sees it: a handful of functions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from jaxgen.data.source import Element
from jaxgen.typing import (
  IDENTITY,
  Array,
  Batch,
  Codec,
  DenoiseFn,
  LossFn,
  LossInputs,
  Metrics,
  Params,
)

ControlState = dict[str, Array]


class UpdateControl(Protocol):
  """The state of a controller after a step, from that before it."""

  def __call__(
    self, state: ControlState, metrics: Metrics, *, images: Array, batch: int
  ) -> ControlState:
    """`metrics` are the step's, `images` were seen before it."""
    ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossController:
  """Moves the weights of a loss during training; its state is part of the
  training state.

  Attributes:
    initial_state: () -> the state before the first step.
    weights: (state, images seen) -> weights of terms, by name.
    update: the state after a step.
    report: (state, images seen) -> more metrics.
    full_from: images after which the weights are no longer warming up;
      held-out metrics before do not count for the best checkpoint.
  """

  initial_state: Callable[[], ControlState]
  weights: Callable[[ControlState, Array], Mapping[str, Array]]
  update: UpdateControl
  report: Callable[[ControlState, Array], Metrics]
  full_from: int = 0


class EvaluateFn(Protocol):
  """Held-out metrics of each image, `(b, ...)`."""

  def __call__(
    self, params: Params, batch: Batch, inputs: LossInputs
  ) -> Metrics: ...


class PreviewFn(Protocol):
  """Rows of float images `(rows, columns, h, w, c)`, held-out ones first, new
  ones last."""

  def __call__(
    self,
    params: Params,
    batch: Batch,
    keys: Array,
    *,
    density: Any,
    inputs: LossInputs,
  ) -> Array:
    """`keys` are for the new images; `density` is fitted to latents, where the
    task draws from them."""
    ...


def accept_any(elements: Sequence[Element]) -> None:
  """A check of data that accepts any."""


def as_scores(means: dict[str, Any]) -> dict[str, float]:
  """Means that are scores already."""
  return {k: float(v) for k, v in means.items()}


def identity_codec(params: Params) -> Codec:
  """The codec of models of pixels."""
  return IDENTITY


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
  """A model family at one resolution, as functions of its parameters.

  Batches hold `image` as the sources deliver it; `images.normalize` makes it
  float32 in [-1, 1].

  Attributes:
    model: the network, a flax module.
    init: key -> params.
    loss: what training minimizes.
    evaluate: held-out metrics of a batch.
    summarize: their means over images -> the scores, one number each.
    preview: images to look at while training.
    batch_fields: what loss and evaluation read of a batch.
    metric: the held-out score, higher is better, that selects the best.
    latent_shape: of one latent.
    codec: params -> Codec.
    draws_latents: whether new images are decoded from latents that are drawn
      from a density fitted to those of training tiles.
    denoiser: params -> DenoiseFn; None: the model is no denoiser.
    check_data: elements -> nothing, or a UserError where they lack what the
      loss needs.
    controller: of the loss's weights; None: they are constant.
    set_fade: (params, share) -> params with new blocks faded in by a share from
      0 to 1; None: the model has no such blocks.
  """

  model: Any
  init: Callable[[Array], Params]
  loss: LossFn
  evaluate: EvaluateFn
  preview: PreviewFn
  batch_fields: tuple[str, ...]
  metric: str
  latent_shape: tuple[int, ...]
  codec: Callable[[Params], Codec] = identity_codec
  draws_latents: bool = False
  denoiser: Callable[[Params], DenoiseFn] | None = None
  summarize: Callable[[dict[str, Any]], dict[str, float]] = as_scores
  check_data: Callable[[Sequence[Element]], None] = accept_any
  controller: LossController | None = None
  set_fade: Callable[[Params, Array], Params] | None = None
