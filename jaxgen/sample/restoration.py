"""Restoration of counts of a camera by a denoiser."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field
from scipy import stats

from jaxgen import progress, rng
from jaxgen.config.fields import (
  ClosedUnit,
  NonNegative,
  Positive,
  PositiveInt,
  Seed,
  check_value,
)
from jaxgen.diffusion import sigmas
from jaxgen.diffusion.tiling import WINDOWS
from jaxgen.errors import UserError
from jaxgen.parallel import profiling
from jaxgen.restoration.camera import Camera, PerPixel
from jaxgen.restoration.named_operators import NamedOperator, named_operator
from jaxgen.restoration.posterior import CORRECTIONS
from jaxgen.sample import restoration_checks as checks
from jaxgen.sample.exposure import (
  Exposure,
  Scale,
  Stack,
  White,
  check_counts,
  exposure,
)
from jaxgen.sample.options import ConditionValue, SamplingOptions
from jaxgen.sample.resolve import resolve
from jaxgen.sample.restoration_checks import Check
from jaxgen.sample.restoration_program import (
  Arguments,
  ProgramSpec,
  num_calls,
  restoration_program,
)
from jaxgen.sample.run import BATCH, LoadedRun, check_finite
from jaxgen.windows import window_grid

SAMPLER, STEPS = "dpmpp_2m", 36  # defaults
LAST_SIGMA = 0.002  # with a higher one, samples are too much alike
Corrections = Annotated[int, Field(ge=0, le=64)]
NumSamples = Annotated[int, Field(ge=0, le=1024)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Restoration:
  """Restored images, in digital numbers as the counts: the numbers that a
  camera without noise would show.

  Attributes:
    mean: the mean of the images that the counts allow, shaped as the counts.
    std: their standard deviation, times `std_factor`; NaN where it is not
      known, None if it is nowhere.
    samples: such images `(k, ...)`; None without sampling.
    white: electrons of white above black, and where that is from.
    std_factor: factor on the standard deviation.
    checks: agreement of each image with its counts.
    calls: network calls.
    seconds: their time, with that of compilation.
  """

  mean: np.ndarray
  std: np.ndarray | None
  samples: np.ndarray | None
  white: White
  std_factor: float
  checks: tuple[Check, ...]
  calls: int
  seconds: float

  @property
  def warnings(self) -> tuple[str, ...]:
    """What may be wrong, without repetitions."""
    return tuple(dict.fromkeys(x for c in self.checks for x in c.warnings))

  def spread(self, level: float = 0.95) -> float:
    """Half the width of the interval in which a true value lies with this
    probability, in standard deviations: of a few samples, by Student's t."""
    check_value("level", ClosedUnit, level)
    num = 0 if self.samples is None else len(self.samples)
    if num == 1:
      raise UserError("samples: expected 0, or 2 or more, for an interval.")
    if not num:
      return float(stats.norm.ppf((1 + level) / 2))
    student = stats.t.ppf((1 + level) / 2, num - 1)
    return float(student) * math.sqrt(1 + 1 / num)

  def interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """The lower and upper ends of the interval of each value."""
    if self.std is None:
      raise UserError(
        "samples=0: expected 2 or more for an interval by this run."
      )
    half = self.spread(level) * self.std
    return self.mean - half, self.mean + half


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
    conditions: values by condition, for all images.
    batch: windows per batch.
    first: number of images before these that share the seed.
  """
  _check_numbers(
    background=background,
    samples=samples,
    corrections=corrections,
    std_factor=std_factor,
    batch=batch,
    seed=seed,
  )
  try:
    measured = named_operator(operator)
  except ValueError as e:
    raise UserError(f"operator={operator}: {e}.") from e
  _check_samples(run, samples, measured, operator=operator)
  values = check_counts(run, counts, measured)
  camera = _camera(gain=gain, read_noise=read_noise, black=black, white=white)
  exposed = exposure(values, camera, background=background, scale=scale)
  options = SamplingOptions(sampler=sampler, steps=steps, conditions=conditions)
  resolved = resolve(options, run)
  spec = _spec(run, values.shape, measured, corrections=corrections)
  if samples:
    spec = dataclasses.replace(spec, sampler=resolved.sampler)
  highest = run.experiment.diffusion.sigma_max
  drawn = _run_program(
    run,
    exposed,
    spec,
    grid=sigmas.karras(steps, sigma_min=LAST_SIGMA, sigma_max=highest),
    cond={k: int(v) for k, v in resolved.terms[0].items()},
    samples=samples,
    seed=seed,
    first=first,
    batch=batch,
  )
  return _in_numbers(
    drawn,
    exposed,
    measured,
    run=run,
    ndim=np.ndim(counts),
    samples=samples,
    std_factor=std_factor,
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Drawn:
  """Float images of the program, `(n max(k, 1), h, w, c)`, their variance or
  None, the network calls and seconds."""

  images: Stack
  variance: Stack | None
  calls: int
  seconds: float


def _check_numbers(
  *,
  background: float,
  samples: int,
  corrections: int,
  std_factor: float,
  batch: int,
  seed: int,
) -> None:
  check_value("background", NonNegative, background)
  check_value("samples", NumSamples, samples)
  check_value("corrections", Corrections, corrections)
  check_value("std_factor", Positive, std_factor)
  check_value("batch", PositiveInt, batch)
  check_value("seed", Seed, seed)


def _check_samples(
  run: LoadedRun, samples: int, measured: NamedOperator, *, operator: str
) -> None:
  """Raise a UserError if a single answer of the denoiser is not the mean."""
  maps = run.experiment.diffusion.noise_map
  single = operator == "none" or (maps and measured.operator.selects)
  if not samples and not single:
    raise UserError(
      f"operator={operator}: expected samples=8 or another number, since the"
      " mean is not a single answer of this denoiser."
    )


def _camera(
  *,
  gain: PerPixel,
  read_noise: PerPixel,
  black: PerPixel,
  white: PerPixel | None,
) -> Camera:
  try:
    return Camera(
      gain=gain,
      read_noise=read_noise,
      black=black,
      white=math.inf if white is None else white,
    )
  except ValueError as e:
    raise UserError(f"{e}.") from e


def _spec(
  run: LoadedRun,
  shape: tuple[int, ...],
  measured: NamedOperator,
  *,
  corrections: int,
) -> ProgramSpec:
  """The program without a sampler, for counts of a shape."""
  side, factor, channels = run.resolution, measured.factor, run.image_shape[2]
  least = -(-side // factor)
  height, width = (max(x, least) * factor for x in shape[1:3])
  return ProgramSpec(
    sampler=None,
    shape=(height, width, channels),
    window=0 if height == width == side else side,
    measured=measured,
    corrections=corrections,
    noise_map=run.experiment.diffusion.noise_map,
  )


def _run_program(
  run: LoadedRun,
  exposed: Exposure,
  spec: ProgramSpec,
  *,
  grid: np.ndarray,
  cond: dict[str, int],
  samples: int,
  seed: int,
  first: int,
  batch: int,
) -> _Drawn:
  """All images, or all samples of each, in batches of one shape."""
  each = max(samples, 1)
  num, program = len(exposed.electrons) * each, run.cached(restoration_program)
  windows = _num_windows(spec)
  size = run.whole_batch(max(1, batch // min(windows, WINDOWS)), num)
  calls = num_calls(spec, len(grid) - 1) * windows
  images, variances, start = [], [], time.monotonic()
  with progress.loop("restoring", num * calls, unit="network calls") as advance:
    for begin in range(0, num, size):
      index = np.arange(begin, begin + size)
      arguments = _arguments(
        run, exposed, spec, index=index, each=each, seed=seed, first=first
      )
      arguments = arguments._replace(
        grid=jnp.asarray(grid, jnp.float32),
        cond={k: np.full(size, v, np.int32) for k, v in cond.items()},
      )
      x, variance = profiling.call(program, arguments, spec)
      images.append(np.asarray(x))
      variances += [] if variance is None else [np.asarray(variance)]
      advance(calls * size)
  found = np.concatenate(images)[:num]
  check_finite(run, finite=bool(np.isfinite(found).all()))
  return _Drawn(
    images=found,
    variance=np.concatenate(variances)[:num] if variances else None,
    calls=num * calls,
    seconds=time.monotonic() - start,
  )


def _num_windows(spec: ProgramSpec) -> int:
  side, (height, width, _) = spec.window, spec.shape
  if not side:
    return 1
  return len(window_grid(height, width, side=side, overlap=side // 2))


def _arguments(
  run: LoadedRun,
  exposed: Exposure,
  spec: ProgramSpec,
  *,
  index: np.ndarray,
  each: int,
  seed: int,
  first: int,
) -> Arguments:
  """The arguments for samples by number, `each` of one image after the other;
  numbers beyond the last one repeat it."""
  image = np.minimum(index // each, len(exposed.electrons) - 1)
  keys = jax.vmap(jax.random.fold_in)(
    rng.per_sample(rng.stream(seed, "restore"), jnp.asarray(image + first)),
    jnp.asarray(index % each),
  )
  side = tuple(x // spec.measured.factor for x in spec.shape[:2])
  counts = _padded(exposed.electrons[image], side, value=np.nan)
  noise = _padded(exposed.read_noise[image], side, value=1.0)
  even = lambda x: np.full(len(index), x, np.float32)  # noqa: E731
  per_image = (keys, counts, noise, even(exposed.scale), even(exposed.offset))
  keys, counts, noise, scale, offset = jax.device_put(
    per_image, run.layout.batch
  )
  return Arguments(
    params=run.params,
    keys=keys,
    counts=counts,
    read_noise=noise,
    scale=scale,
    offset=offset,
    grid=jnp.zeros(0),
    cond={},
  )


def _padded(x: Stack, side: tuple[int, ...], *, value: float) -> Stack:
  """Images with rows below and columns on the right up to a size."""
  below, right = (a - b for a, b in zip(side, x.shape[1:3], strict=True))
  around = ((0, 0), (0, below), (0, right), (0, 0))
  return np.pad(x, around, constant_values=value)


def _in_numbers(
  drawn: _Drawn,
  exposed: Exposure,
  measured: NamedOperator,
  *,
  run: LoadedRun,
  ndim: int,
  samples: int,
  std_factor: float,
) -> Restoration:
  """The results in digital numbers, without what was padded."""
  num, height, width, _ = exposed.electrons.shape
  factor = measured.factor
  crop = np.s_[:, : height * factor, : width * factor]
  each = drawn.images[crop]
  parts = each.reshape(num, -1, *each.shape[1:])
  mean, std, numbers = parts.mean(1), None, _numbers(each, exposed)
  if drawn.variance is not None:
    variance = drawn.variance[crop]
    std = np.sqrt(np.where(variance > 0, variance, np.nan))
  elif samples > 1:
    std = parts.std(1, ddof=1)
  shaped = lambda x: _shaped(x, ndim)  # noqa: E731
  step = exposed.scale * _fit(exposed.camera.gain, mean)
  kept = numbers.reshape(num, -1, *each.shape[1:]).swapaxes(0, 1)
  return Restoration(
    mean=shaped(_numbers(mean, exposed)),
    std=None if std is None else shaped(std * step * std_factor),
    samples=np.stack([shaped(x) for x in kept]) if samples else None,
    white=exposed.white,
    std_factor=std_factor,
    checks=checks.check(
      exposed,
      mean,
      parts if samples else None,
      std,
      operator=measured.operator,
      config=run.experiment.diffusion,
    ),
    calls=drawn.calls,
    seconds=drawn.seconds,
  )


def _numbers(x: Stack, exposed: Exposure) -> Stack:
  """Images in digital numbers of a camera without noise and saturation."""
  electrons = exposed.scale * x + exposed.offset
  gain, black = (
    _fit(value, x) for value in (exposed.camera.gain, exposed.camera.black)
  )
  return electrons * gain + black


def _fit(value: PerPixel, like: Stack) -> np.ndarray:
  """A number for images; of a map its mean, by channel if the images have the
  counts' ones, since results have no pattern of the sensor."""
  level = np.asarray(value, np.float32)
  if level.ndim > 2:
    level = level.mean((-3, -2))
  same = level.shape[-1:] in ((), (1,), like.shape[-1:])
  return np.broadcast_to(level if same else level.mean(), like.shape)


def _shaped(x: Stack, ndim: int) -> np.ndarray:
  """Images with as many axes as the counts."""
  x = np.asarray(x, np.float32)
  x = x if ndim == 4 else x[0]
  return x[..., 0] if ndim == 2 else x
