"""Enlargement by a denoiser of residuals, which draws the detail that small
images lack.

The hint of such a run is an image averaged over squares of pixels and enlarged
linearly. That of a small image is made of its pixels repeated, whose averages
are the small image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from jaxgen.config.experiment import Experiment
from jaxgen.errors import UserError
from jaxgen.sample.hints import make_hints
from jaxgen.sample.options import SamplingKeywords
from jaxgen.sample.painting import paint
from jaxgen.sample.run import BATCH, MAX_SIDE

if TYPE_CHECKING:
  from jaxgen.sample.denoiser import DenoiserRun


def enlarges(experiment: Experiment) -> bool:
  """Whether a run is a denoiser of what small images lack."""
  residual = experiment.diffusion.target == "residual"
  return residual and experiment.hint.kind == "lowres"


def upscale(
  run: DenoiserRun,
  images: np.ndarray | Sequence[np.ndarray],
  *,
  seed: int = 0,
  batch: int = BATCH,
  first: int = 0,
  **options: Unpack[SamplingKeywords],
) -> Any:
  """Small images enlarged by the factor of a run's hints, uint8.

  Args:
    run: a run of a denoiser of residuals of small images.
    images: `(n, h, w, c)`, or a sequence of `(h, w, c)` of any sizes; uint8,
      uint16, or float32 in [-1, 1]. Those larger than the run's are painted in
      windows that overlap by half.
    seed: seed of the whole set; other seeds draw other detail.
    batch: images per batch, of an array.
    first: number of images before these that share the seed.
    **options: fields of `SamplingOptions` except for `hint`.

  Returns:
    An array, or for a sequence a list.

  Raises:
    UserError: a run of another kind, or images that do not fit it.
  """
  _check_run(run)
  if isinstance(images, np.ndarray):
    return _paint(run, images, seed=seed, batch=batch, first=first, **options)
  return [
    _paint(run, x[None], seed=seed, batch=batch, first=first + i, **options)[0]
    for i, x in enumerate(images)
  ]


def _paint(run: DenoiserRun, images: np.ndarray, **keywords: Any) -> np.ndarray:
  """Images of one size, painted on what is known of them."""
  factor = run.experiment.hint.factor
  check_size(run, (images.shape[1], images.shape[2]))
  repeated = images.repeat(factor, axis=1).repeat(factor, axis=2)
  return paint(run, make_hints(run, repeated), **keywords).images


def _check_run(run: DenoiserRun) -> None:
  if not enlarges(run.experiment):
    raise UserError(
      f"{run.workdir}: expected a run with diffusion.target=residual and"
      f" hint.kind=lowres, got {run.experiment.diffusion.target} and"
      f" {run.experiment.hint.kind or 'no hint'}."
    )


def check_size(
  run: DenoiserRun, size: tuple[int, int], *, name: str = "images"
) -> None:
  """Raise a UserError for small images of a size (height, width) that a run
  does not enlarge."""
  factor = run.experiment.hint.factor
  least, most = run.resolution // factor, MAX_SIDE // factor
  if min(size) < least or max(size) > most:
    raise UserError(
      f"{name}: expected sides of {least} (the small images of training) to"
      f" {most} pixels, got {size[1]} x {size[0]}."
    )
