"""The interface of a model family to the training loop, as functions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from jaxgen.data.findings import Findings
from jaxgen.data.source import Element
from jaxgen.tasks.hint import Hint
from jaxgen.tasks.space import Frozen, Space
from jaxgen.typing import (
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
NO_FINDINGS = Findings()
GENERATOR = "generator"  # the player whose images are wanted
UNLABELED = 255  # in masks: a pixel without a label


class UpdateControl(Protocol):
  """The update of a controller's state after a step."""

  def __call__(
    self, state: ControlState, metrics: Metrics, *, images: Array, batch: int
  ) -> ControlState:
    """`metrics` are those of the step, `images` were seen before it."""
    ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossController:
  """A controller of loss weights; its state is part of the train state.

  Attributes:
    initial_state: () -> the state before the first step.
    weights: (state, images seen) -> weights of terms, by name.
    update: the update of the state after a step.
    report: (state, images seen) -> additional metrics.
    full_from: images after which the warm-up of the weights is over; earlier
      held-out metrics do not count for the best checkpoint.
  """

  initial_state: Callable[[], ControlState]
  weights: Callable[[ControlState, Array], Mapping[str, Array]]
  update: UpdateControl
  report: Callable[[ControlState, Array], Metrics]
  full_from: int = 0


class EvaluateFn(Protocol):
  """An evaluation: held-out metrics of each image, `(b, ...)`."""

  def __call__(
    self, params: Params, batch: Batch, inputs: LossInputs
  ) -> Metrics: ...


class PreviewFn(Protocol):
  """A preview: rows of float images `(rows, columns, h, w, c)`, held-out ones
  first, new ones last."""

  def __call__(
    self,
    params: Params,
    batch: Batch,
    keys: Array,
    *,
    density: Any,
    inputs: LossInputs,
  ) -> Array:
    """`keys` are for the new images; `density` is fitted to latents, if the
    task samples from them."""
    ...


class UpscaleFn(Protocol):
  """An enlargement: small images float32 `(b, h, w, c)` in [-1, 1], of any
  size, to larger ones, about [-1, 1]."""

  def __call__(self, low: Array) -> Array: ...


class CheckData(Protocol):
  """A check of data; raises a UserError if they do not fit the task."""

  def __call__(
    self, elements: Sequence[Element], findings: Findings = NO_FINDINGS
  ) -> None:
    """`elements` are some tiles, `findings` is what their source knows."""
    ...


def accept_any(
  elements: Sequence[Element], findings: Findings = NO_FINDINGS
) -> None:
  """A check of data that accepts everything."""


def as_scores(means: dict[str, Any]) -> dict[str, float]:
  """The means themselves as scores."""
  return {k: float(v) for k, v in means.items()}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
  """A model family at one resolution, as functions of its parameters.

  Batches have `image` as the sources deliver it; `images.normalize` converts it
  to float32 in [-1, 1].

  Attributes:
    model: the network, a flax module.
    init: key -> params.
    loss: the training loss.
    evaluate: held-out metrics of a batch.
    summarize: means of the metrics over images -> scores, one number each.
    preview: example images during training.
    preview_rows: labels of the rows of a preview.
    batch_fields: fields of a batch that loss and evaluation read.
    metric: held-out score, higher is better, that selects the best checkpoint.
    loss_name: what the loss is, for people.
    latent_shape: shape of one latent.
    codec: params -> Codec.
    draws_latents: whether new images are decoded from samples of a density
      fitted to the latents of training tiles.
    denoiser: params -> DenoiseFn; None: the model is not a denoiser.
    upscale: params -> UpscaleFn; None: the model does not enlarge images.
    space: what the denoiser works on.
    hint: the images that it is given, if any.
    evaluates_at_start: whether held-out metrics are logged at step 0 too.
    check_data: elements -> None; raises a UserError if they lack fields that
      the loss needs.
    controller: controller of the loss weights; None: they are constant.
    begin: (params, frozen parameters) -> the parameters before the first step;
      None: those of `init`.
    rate_factors: of an adversarial loss the names of its players, `GENERATOR`
      and others, and factors of their learning rates; the names are those of
      trees in the parameters, which have an optimizer each.
    set_fade: (params, fade) -> params with new blocks faded in by a fraction in
      [0, 1]; None: the model has no such blocks.
  """

  model: Any
  init: Callable[[Array], Params]
  loss: LossFn
  evaluate: EvaluateFn
  preview: PreviewFn
  preview_rows: tuple[str, ...]
  batch_fields: tuple[str, ...]
  metric: str
  latent_shape: tuple[int, ...]
  codec: Callable[[Params], Codec]
  loss_name: str = "loss"
  draws_latents: bool = False
  denoiser: Callable[[Params], DenoiseFn] | None = None
  upscale: Callable[[Params], UpscaleFn] | None = None
  space: Space | None = None
  hint: Hint | None = None
  evaluates_at_start: bool = False
  summarize: Callable[[dict[str, Any]], dict[str, float]] = as_scores
  check_data: CheckData = accept_any
  controller: LossController | None = None
  begin: Callable[[Params, Frozen], Params] | None = None
  rate_factors: tuple[tuple[str, float], ...] = ()
  set_fade: Callable[[Params, Array], Params] | None = None

  def sampled(self, params: Params) -> Params:
    """The parameters that samplers and evaluations take, and that EMAs are of:
    all, or those of the generator."""
    return params[GENERATOR] if self.rate_factors else params

  def with_sampled(self, params: Params, sampled: Params) -> Params:
    """Parameters with other ones in the place of `sampled(params)`."""
    return {**params, GENERATOR: sampled} if self.rate_factors else sampled
