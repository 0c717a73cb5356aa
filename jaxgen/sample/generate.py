"""New images by a denoiser: any sampler, under conditions and guidance."""

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
  """Images alone."""
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
  """Images, and those of each step."""
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
  """New images, uint8 `(num, h, w, c)`.

      run.sample(16, conditions={"rock_type": "granite"}, guidance=2.0)

  Image i is a function of (seed, i) and of the options alone, whatever `num`,
  the batch size and the number of devices, but for the last bits of
  floating-point sums.

  Args:
    run: of a denoiser.
    num: of images.
    seed: of the whole set.
    resolution: of the images, by default that of the run.
    trajectory: also return the denoised images of each step.
    batch: images a call of the compiled program.
    **options: the fields of `SamplingOptions`.

  Returns:
    The images; with `trajectory` a pair of them and of uint8 `(steps, num, h,
    w, c)`.

  Raises:
    UserError: the run has no such condition, value or resolution.
  """
  check_value("num", PositiveInt, num)
  side = run.resolution if resolution is None else resolution
  check_value("resolution", PositiveInt, side)
  resolved = resolve(SamplingOptions(**options), run)
  for used in (run, resolved.weak):
    if used is not None:
      _check_resolution(used, side)
  shape = num, side, side, run.image_shape[2]
  canvas = Canvas(shape=shape, trajectory=trajectory)
  images, steps = draw_images(run, resolved, canvas, seed=seed, batch=batch)
  return images if steps is None else (images, steps)


def _check_resolution(run: LoadedRun, resolution: int) -> None:
  task = run.task_at(resolution)  # raises where it cannot have this size
  if task.set_fade and resolution > run.resolution:
    raise UserError(
      f"resolution={resolution}: expected at most {run.resolution}, the pixels "
      f"that {run.workdir} has grown to."
    )


def network_calls(run: LoadedRun, **options: Unpack[SamplingKeywords]) -> int:
  """The number of calls of networks that one image takes."""
  return resolve(SamplingOptions(**options), run).network_calls


def sampling_bytes(
  run: LoadedRun, batch: int = BATCH, **options: Unpack[SamplingKeywords]
) -> int:
  """The memory of the program that samples a batch, parameters included."""
  size = run.whole_batch(batch, batch)
  resolved = resolve(SamplingOptions(**options), run)
  return program_memory(run, resolved, Canvas(shape=(size, *run.image_shape)))
