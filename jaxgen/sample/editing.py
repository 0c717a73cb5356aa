"""Edits of images by a denoiser: vary them, or go from one to another.

Images are of the run's size: uint8 `(n, h, w, c)`, uint16, or float32 in
[-1, 1].
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Annotated, Unpack

import jax
import numpy as np
from pydantic import Field

from jaxgen.config.fields import check_value
from jaxgen.diffusion import inversion
from jaxgen.images import as_uint8, normalize
from jaxgen.latents.interpolation import slerp
from jaxgen.sample.draw import Canvas, draw_images
from jaxgen.sample.options import SamplingKeywords, SamplingOptions
from jaxgen.sample.program import Inputs, denoiser_of
from jaxgen.sample.resolve import resolve
from jaxgen.sample.run import BATCH, LoadedRun
from jaxgen.typing import Array, Params

INVERSION_STEPS = 40  # of Heun's method, each way
Strength = Annotated[float, Field(gt=0, le=1)]
PathSteps = Annotated[int, Field(ge=2)]


def checked_uint8(run: LoadedRun, images: np.ndarray) -> np.ndarray:
  """Images of any stored type as uint8.

  Raises:
    UserError: they do not fit the run.
  """
  run.check_images(images)
  return as_uint8(images)


def edit(
  run: LoadedRun,
  images: np.ndarray,
  *,
  strength: float = 0.5,
  seed: int = 0,
  batch: int = BATCH,
  **options: Unpack[SamplingKeywords],
) -> np.ndarray:
  """Noise images and denoise them again (SDEdit), uint8 out.

  Args:
    run: of a denoiser.
    images: to begin with.
    strength: share of the sampler's steps that are taken, in (0, 1]: at 1
      nothing is left of the images, near 0 nothing changes.
    seed: of the noise.
    batch: images a call of the compiled program.
    **options: the fields of `SamplingOptions`.
  """
  images = checked_uint8(run, images)
  check_value("strength", Strength, strength)
  resolved = resolve(SamplingOptions(**options), run)
  grid = inversion.truncate(resolved.grid, strength)
  resolved = dataclasses.replace(resolved, grid=grid)
  inputs = Inputs(image=np.asarray(normalize(images)))
  canvas = Canvas(shape=images.shape, inputs=inputs)
  return draw_images(run, resolved, canvas, seed=seed, batch=batch).images


def interpolate(
  run: LoadedRun,
  a: np.ndarray,
  b: np.ndarray,
  steps: int = 9,
  *,
  conditions: Mapping[str, str] | None = None,
  batch: int = BATCH,
) -> np.ndarray:
  """Images uint8 `(steps, h, w, c)` from `a` to `b`, both `(h, w, c)`: on a
  great circle between the noises that the flow inverts them to (DDIM inversion,
  at Heun's order), under `conditions` both ways."""
  check_value("steps", PathSteps, steps)
  ends = [checked_uint8(run, np.asarray(x)[None]) for x in (a, b)]
  options = SamplingOptions(
    sampler="heun", steps=INVERSION_STEPS, conditions=conditions
  )
  resolved = resolve(options, run)
  cond = {k: np.full(2, v, np.int32) for k, v in resolved.terms[0].items()}
  invert = run.cached(_inversion)
  pair, grid = normalize(np.concatenate(ends)), tuple(resolved.grid)
  first, last = np.asarray(invert(run.params, pair, cond, grid))
  path = [slerp(first, last, t) for t in np.linspace(0, 1, steps)]
  noise = np.stack(path).astype(np.float32)
  canvas = Canvas(shape=noise.shape, inputs=Inputs(noise=noise))
  return draw_images(run, resolved, canvas, seed=0, batch=batch).images


def _inversion(run: LoadedRun) -> Callable[..., Array]:
  """The noise that the probability flow inverts images to, jitted."""
  denoiser = denoiser_of(run)

  def invert(
    params: Params, images: Array, cond: dict[str, Array], grid: tuple
  ) -> Array:
    denoise = functools.partial(denoiser(params), cond=cond)
    return inversion.invert(denoise, images, np.asarray(grid))

  return jax.jit(invert, static_argnums=3)
