"""The hints of a run, made from images or masks as in training."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np

from jaxgen.batching import map_batches
from jaxgen.errors import UserError
from jaxgen.models.conditioning import HINT
from jaxgen.sample.options import SamplingOptions
from jaxgen.sample.run import BATCH, MAX_SIDE, LoadedRun
from jaxgen.tasks.hint import Hint
from jaxgen.tasks.space import Frozen
from jaxgen.tasks.task import UNLABELED
from jaxgen.typing import Array

MASK = "mask"


def has_hint(run: LoadedRun) -> bool:
  """Whether the denoiser of a run is given hints."""
  return getattr(run.task, "hint", None) is not None


def is_control(run: LoadedRun) -> bool:
  """Whether it is a ControlNet, whose base needs no hints."""
  return run.experiment.task == "control"


def told_masks(run: LoadedRun) -> bool:
  """Whether its hints are the classes of pixels."""
  return run.experiment.hint.kind == "segments"


def needs_hint(run: LoadedRun) -> bool:
  """Whether it makes no sense without one: it was given one for every image in
  training."""
  always = has_hint(run) and not run.experiment.hint.drop_prob
  return always and not is_control(run)


def make_hints(run: LoadedRun, given: np.ndarray) -> np.ndarray:
  """Hints float32 `(n, h, w, channels)` from images or masks; see
  `SamplingOptions.hint`.

  Raises:
    UserError: the run has no hints, or images or masks do not fit it.
  """
  hint = hint_of(run)
  given = np.asarray(given)
  if hint.field == MASK:
    _check_masks(run, given)
  else:
    _check_images(run, given)
  program = run.cached(_program)
  return map_batches(
    lambda x: program(run.frozen, run.layout.put(x)),
    given,
    run.whole_batch(BATCH, len(given)),
    label="making hints",
  )


def of_each(hints: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
  """The hint of each image of a shape `(n, h, w, c)`.

  Raises:
    UserError: their number or size is not that of the images.
  """
  num, height, width, _ = shape
  if hints.shape[1:3] != (height, width):
    raise UserError(
      f"hint: expected images of {height} x {width} pixels, got"
      f" {hints.shape[1]} x {hints.shape[2]}."
    )
  if len(hints) not in (1, num):
    raise UserError(
      f"hint: expected a single image or one per image ({num}), got"
      f" {len(hints)}."
    )
  return np.broadcast_to(hints, (num, *hints.shape[1:]))


def hint_of(run: LoadedRun) -> Hint:
  """The hints of a run.

  Raises:
    UserError: it has none.
  """
  if run.task.hint is None:
    raise UserError(
      f"hint: expected a run with hints (hint.kind), got {run.workdir}."
    )
  return run.task.hint


def check(
  options: SamplingOptions, run: LoadedRun, hint: np.ndarray | None
) -> None:
  """Raise a UserError if there is no hint where one is needed, or options of
  hints do not fit the run."""
  if hint is None and needs_hint(run):
    raise UserError(
      f"hint: expected images for {run.workdir}, whose images all had a hint in"
      f" training (hint.kind={run.experiment.hint.kind}, hint.drop_prob=0)."
    )
  if hint is None and options.hint_noise:
    raise UserError(f"hint_noise={options.hint_noise}: expected a hint, too.")
  _check_noise(run, options.hint_noise)
  _check_scale(run, options.control_scale, hint=hint)
  weighted = HINT in (options.guidance_weights or {})
  if weighted and needs_hint(run):
    raise UserError(
      f"guidance_weights: {HINT}: expected a run with hint.drop_prob > 0, got"
      f" {run.workdir}."
    )


def _check_noise(run: LoadedRun, noise: float) -> None:
  """Raise a UserError if the noise on hints is more than in training."""
  most = run.experiment.hint.noise
  if noise > most:
    raise UserError(
      f"hint_noise={noise}: expected at most {most}, the hint.noise of"
      f" {run.workdir}."
    )


def _check_scale(
  run: LoadedRun, scale: float, *, hint: np.ndarray | None
) -> None:
  """Raise a UserError if there is nothing that a scale is of."""
  if scale != 1 and not is_control(run):
    raise UserError(
      f"control_scale={scale}: expected a ControlNet (task=control), got"
      f" {run.workdir}."
    )
  if scale != 1 and hint is None:
    raise UserError(f"control_scale={scale}: expected a hint, too.")


def _program(run: LoadedRun) -> Callable[[Frozen, Array], Array]:
  hint = hint_of(run)
  return jax.jit(
    lambda frozen, x: hint.image({hint.field: x}, frozen),
    out_shardings=run.layout.replicated,
  )


def _check_images(run: LoadedRun, images: np.ndarray) -> None:
  config = run.experiment.hint
  largest = 0 if config.kind == "reconstruction" else MAX_SIDE
  given = config.kind == "image"
  channels = hint_of(run).channels if given else 0
  run.check_images(images, largest=largest, channels=channels)
  if config.kind == "lowres":
    for side in images.shape[1:3]:
      config.check(side)


def _check_masks(run: LoadedRun, masks: np.ndarray) -> None:
  side, count = run.resolution, run.experiment.hint.num_classes
  if masks.dtype.kind not in "iu" or masks.ndim != 3 or not masks.size:
    raise UserError(
      f"hint: expected masks of integers (n, {side}, {side}), got {masks.dtype}"
      f" {masks.shape}."
    )
  if min(masks.shape[1:]) < side or max(masks.shape[1:]) > MAX_SIDE:
    raise UserError(
      f"hint: expected masks of at least {side} x {side} pixels, got"
      f" {masks.shape[1:]}."
    )
  highest = int(masks[masks != UNLABELED].max(initial=0))
  if highest >= count:
    raise UserError(
      f"hint: expected labels below {count} (hint.num_classes), or {UNLABELED}"
      f" for none, got {highest}."
    )
