"""Sampling from a denoiser, with conditions and guidance."""

from __future__ import annotations

from typing import Literal, Unpack, overload

import numpy as np

from jaxgen.config.fields import PositiveInt, check_value
from jaxgen.errors import UserError
from jaxgen.sample.draw import Canvas, draw_images, program_memory
from jaxgen.sample.options import SamplingKeywords, SamplingOptions
from jaxgen.sample.resolve import resolve
from jaxgen.sample.run import BATCH, LoadedRun


@overload
def sample(
  run: LoadedRun,
  num: int = 16,
  *,
  seed: int = 0,
  resolution: int | None = None,
  trajectory: Literal[False] = False,
  batch: int = BATCH,
  **options: Unpack[SamplingKeywords],
) -> np.ndarray:
  """The images only."""
  ...


@overload
def sample(
  run: LoadedRun,
  num: int = 16,
  *,
  seed: int = 0,
  resolution: int | None = None,
  trajectory: Literal[True],
  batch: int = BATCH,
  **options: Unpack[SamplingKeywords],
) -> tuple[np.ndarray, np.ndarray]:
  """The images, and those of each step."""
  ...


def sample(
  run: LoadedRun,
  num: int = 16,
  *,
  seed: int = 0,
  resolution: int | None = None,
  trajectory: bool = False,
  batch: int = BATCH,
  **options: Unpack[SamplingKeywords],
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
  """Sample new images, uint8 `(num, h, w, c)`.

      run.sample(16, conditions={"rock_type": "granite"}, guidance=2.0)

  Image i depends only on (seed, i) and the options, not on `num`, the batch
  size or the number of devices, up to rounding in floating-point sums.

  Args:
    run: a run of a denoiser.
    num: number of images.
    seed: seed of the whole set.
    resolution: side of the images, by default that of the run.
    trajectory: also return the denoised images of each step.
    batch: images per batch.
    **options: fields of `SamplingOptions`.

  Returns:
    The images; with `trajectory` also uint8 `(steps, num, h, w, c)`.

  Raises:
    UserError: the run has no such condition, value or resolution.
  """
  check_value("num", PositiveInt, num)
  side = run.resolution if resolution is None else resolution
  check_value("resolution", PositiveInt, side)
  resolved = resolve(SamplingOptions(**options), run)
  for used in (run, resolved.weak):
    if used is not None:
      check_resolution(used, side)
  shape = num, side, side, run.image_shape[2]
  canvas = Canvas(shape=shape, trajectory=trajectory)
  images, steps = draw_images(run, resolved, canvas, seed=seed, batch=batch)
  return images if steps is None else (images, steps)


def check_resolution(run: LoadedRun, resolution: int) -> None:
  """Raise a UserError if a run has no images of a resolution."""
  task = run.task_at(resolution)  # raises if the size is not supported
  if task.set_fade and resolution > run.resolution:
    raise UserError(
      f"resolution={resolution}: expected at most {run.resolution}, the "
      f"current resolution of {run.workdir}."
    )


def network_calls(run: LoadedRun, **options: Unpack[SamplingKeywords]) -> int:
  """The number of network calls per image."""
  return resolve(SamplingOptions(**options), run).network_calls


def sampling_bytes(
  run: LoadedRun, batch: int = BATCH, **options: Unpack[SamplingKeywords]
) -> int:
  """Memory in bytes of the program that samples a batch, with parameters."""
  size = run.whole_batch(batch, batch)
  resolved = resolve(SamplingOptions(**options), run)
  return program_memory(run, resolved, Canvas(shape=(size, *run.image_shape)))
