"""Edits of images by a denoiser: variations and interpolation.

Images are uint8 `(n, h, w, c)`, uint16, or float32 in [-1, 1]. They have the
run's size, or are larger where it says so: then they are denoised in windows of
the run's size that overlap by half.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Annotated, Unpack

import jax
import numpy as np
from pydantic import Field

from jaxgen import progress
from jaxgen.config.fields import check_value
from jaxgen.diffusion import inversion
from jaxgen.images import as_uint8, normalize
from jaxgen.latents.interpolation import slerp
from jaxgen.sample.draw import Canvas, draw_images
from jaxgen.sample.few_steps import check_prior
from jaxgen.sample.options import SamplingKeywords, SamplingOptions
from jaxgen.sample.program import denoiser_of, space_of
from jaxgen.sample.program_spec import Inputs
from jaxgen.sample.resolve import resolve
from jaxgen.sample.run import BATCH, MAX_SIDE, LoadedRun
from jaxgen.tasks.companion import with_base
from jaxgen.typing import Array, Params

INVERSION_STEPS = 40  # steps of Heun's method in each direction
Strength = Annotated[float, Field(gt=0, le=1)]
PathSteps = Annotated[int, Field(ge=2)]


def checked_uint8(
  run: LoadedRun, images: np.ndarray, *, largest: int = 0
) -> np.ndarray:
  """Images of any stored type as uint8.

  Raises:
    UserError: the images do not fit the run; with `largest` they may be larger,
      up to that side.
  """
  run.check_images(images, largest=largest)
  return as_uint8(images)


def window_of(run: LoadedRun, images: np.ndarray) -> int:
  """The side of the windows of images; 0 if they have the run's size."""
  return run.resolution if images.shape[1:] != run.image_shape else 0


def edit(
  run: LoadedRun,
  images: np.ndarray,
  *,
  strength: float = 0.5,
  seed: int = 0,
  batch: int = BATCH,
  first: int = 0,
  **options: Unpack[SamplingKeywords],
) -> np.ndarray:
  """Add noise to images and denoise them (SDEdit); returns uint8.

  Args:
    run: a run of a denoiser.
    images: input images, of the run's size or larger.
    strength: fraction of the sampler's steps to run, in (0, 1]: at 1 the input
      is ignored, near 0 it is unchanged.
    seed: seed of the noise.
    batch: images per batch.
    first: number of images before these that share the seed.
    **options: fields of `SamplingOptions`.
  """
  images = checked_uint8(run, images, largest=MAX_SIDE)
  check_value("strength", Strength, strength)
  resolved = resolve(SamplingOptions(**options), run)
  grid = inversion.truncate(resolved.grid, strength)
  resolved = dataclasses.replace(resolved, grid=grid)
  inputs = Inputs(image=np.asarray(normalize(images)))
  canvas = Canvas(
    shape=images.shape,
    inputs=inputs,
    window=window_of(run, images),
    first=first,
  )
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
  """Images uint8 `(steps, h, w, c)` from `a` to `b`, both `(h, w, c)`: by
  spherical interpolation between the noise images from inverting the flow (DDIM
  inversion, at Heun's order), with `conditions` in both directions."""
  check_value("steps", PathSteps, steps)
  check_prior(run, "interpolation")
  ends = [checked_uint8(run, np.asarray(x)[None]) for x in (a, b)]
  options = SamplingOptions(
    sampler="heun", steps=INVERSION_STEPS, conditions=conditions
  )
  resolved = resolve(options, run)
  cond = {k: np.full(2, v, np.int32) for k, v in resolved.terms[0].items()}
  invert = run.cached(_inversion)
  pair, grid = normalize(np.concatenate(ends)), tuple(resolved.grid)
  with progress.loop("inverting the flow of both images"):
    first, last = np.asarray(invert(run.params, run.frozen, pair, cond, grid))
  path = [slerp(first, last, t) for t in np.linspace(0, 1, steps)]
  noise = np.stack(path).astype(np.float32)
  shape = len(noise), *run.image_shape
  canvas = Canvas(shape=shape, inputs=Inputs(noise=noise))
  return draw_images(run, resolved, canvas, seed=0, batch=batch).images


def _inversion(run: LoadedRun) -> Callable[..., Array]:
  """A jitted function from images to noise, by inverting the flow."""
  denoiser, space = denoiser_of(run), space_of(run)

  def invert(
    params: Params,
    frozen: dict[str, Params],
    images: Array,
    cond: dict[str, Array],
    grid: tuple[float, ...],
  ) -> Array:
    states = space.codec(frozen, None).encode(images)
    denoise = denoiser(with_base(params, frozen))
    bound = functools.partial(denoise, cond=cond)
    return inversion.invert(bound, states, np.asarray(grid))

  return jax.jit(invert, static_argnums=4)
