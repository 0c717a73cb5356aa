"""Restoration of counts of a camera by a denoiser."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from jaxgen.diffusion import sigmas
from jaxgen.restoration.camera import PerPixel
from jaxgen.restoration.posterior import CORRECTIONS
from jaxgen.restoration.recommend import Preference
from jaxgen.sample import restoration_request
from jaxgen.sample.exposure import Scale, check_counts, exposure
from jaxgen.sample.options import ConditionValue, SamplingOptions
from jaxgen.sample.resolution_choice import choose
from jaxgen.sample.resolve import resolve
from jaxgen.sample.restoration_numbers import in_numbers
from jaxgen.sample.restoration_run import Draws, draw
from jaxgen.sample.restoration_spec import ProgramSpec, covering, num_calls
from jaxgen.sample.restored import Restoration
from jaxgen.sample.run import BATCH, LoadedRun, check_pixels

SAMPLER, STEPS = "dpmpp_2m", 36  # defaults
LAST_SIGMA = 0.002  # with a higher one, samples are too much alike


def restore(
  run: LoadedRun,
  counts: np.ndarray,
  *,
  gain: PerPixel,
  read_noise: PerPixel,
  black: PerPixel = 0.0,
  white: PerPixel | None = None,
  background: float = 0.0,
  scale: Scale = None,
  samples: int = 0,
  seed: int = 0,
  operator: str = "none",
  sampler: str = SAMPLER,
  steps: int = STEPS,
  corrections: int = CORRECTIONS,
  std_factor: float = 1.0,
  with_std: bool = True,
  max_seconds: float | None = None,
  max_memory: int | None = None,
  preference: Preference | None = None,
  conditions: Mapping[str, ConditionValue] | None = None,
  batch: int = BATCH,
  first: int = 0,
) -> Restoration:
  """Restore images of any size from counts, DN = gain (Poisson + read noise) +
  black; larger ones in windows that overlap by half.

  Args:
    run: a run of a denoiser.
    counts: digital numbers `(h, w)`, `(h, w, c)` or `(n, h, w, c)` of one
      camera, of any type; NaN where nothing is known. They are never clipped.
    gain: DN per electron.
    read_noise: electrons.
    black: DN of no light.
    white: lowest DN of saturated pixels; None: none is.
    background: electrons of the darkest parts, black of the prior, as of a sky.
    scale: electrons of white of the prior above black; `white`: those of the
      white level; `image`: those of the brightest parts; None: of the white
      level if the image comes near it, else of the brightest parts.
    samples: number of samples, whose mean is the result; 0: the mean by a
      single answer of the denoiser.
    seed: seed of the samples: sample k of image i is a function of it, i and k.
    operator: what the camera does to the image, `none`, `downsample:2`,
      `blur:1.5`, `bayer:RGGB`: then the result is sharper, or larger.
    sampler: a sampler of `jaxgen.diffusion.samplers`.
    steps: its steps.
    corrections: for denoisers without noise maps, see
      `restoration.posterior.restore`.
    std_factor: factor on the standard deviation, as fitted elsewhere.
    with_std: whether a denoiser of noise maps predicts the standard deviation
      without samples: of a window 2 + 32 network calls a channel instead of 2.
    max_seconds: time of each image; with it, `max_memory` or `preference` the
      resolution is chosen by the table of `jaxgen calibrate --workdir`: counts
      are summed in squares, restored, and enlarged.
    max_memory: memory of the program in bytes.
    preference: `quality`, the least expected error within the limits;
      `balanced`, `speed`: the fastest resolution within 0.1 or 0.5 dB of it.
    conditions: values by condition, for all images.
    batch: windows per batch.
    first: number of images before these that share the seed.

  Raises:
    UserError: a value is out of range, the counts do not fit the run, there is
      no table, or no resolution is within the limits.
  """
  check_pixels(run, "restore")
  restoration_request.check_values(
    background=background,
    samples=samples,
    corrections=corrections,
    std_factor=std_factor,
    batch=batch,
    seed=seed,
  )
  measured = restoration_request.operator(run, operator, samples=samples)
  limits = restoration_request.limits(
    max_seconds=max_seconds,
    max_memory=max_memory,
    preference=preference,
    operator=operator,
  )
  values = check_counts(run, counts, measured)
  camera = restoration_request.camera(
    gain=gain, read_noise=read_noise, black=black, white=white
  )
  exposed = exposure(values, camera, background=background, scale=scale)
  options = SamplingOptions(sampler=sampler, steps=steps, conditions=conditions)
  resolved = resolve(options, run)
  spec = ProgramSpec(
    sampler=resolved.sampler if samples else None,
    side=run.resolution,
    shape=run.image_shape,
    factor=1,
    measured=measured,
    corrections=corrections,
    noise_map=run.experiment.diffusion.noise_map,
    with_std=with_std,
  )
  draws = Draws(
    samples=samples,
    seed=seed,
    first=first,
    grid=_grid(run, steps),
    cond={k: int(v) for k, v in resolved.terms[0].items()},
    batch=batch,
  )
  spec = covering(spec, values.shape, side=run.resolution)
  choice = None
  if limits is not None:
    calls = draws.each * num_calls(spec, steps)
    choice = choose(run, exposed, limits=limits, calls=calls)
    spec = covering(
      spec, values.shape, side=choice.resolution, factor=choice.factor
    )
    draws = dataclasses.replace(draws, batch=min(batch, choice.windows))
  return in_numbers(
    draw(run, exposed, spec, draws),
    exposed,
    measured,
    run=run,
    ndim=np.ndim(counts),
    samples=samples,
    std_factor=std_factor,
    choice=choice,
  )


def _grid(run: LoadedRun, steps: int) -> np.ndarray:
  """The noise levels of a sampler."""
  highest = run.experiment.diffusion.sigma_max
  return sigmas.karras(steps, sigma_min=LAST_SIGMA, sigma_max=highest)
