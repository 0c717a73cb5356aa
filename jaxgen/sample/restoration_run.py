"""The restoration of all images, or of all samples of each, batch by batch."""

from __future__ import annotations

import dataclasses
import time

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import progress, rng
from jaxgen.diffusion.tiling import WINDOWS
from jaxgen.parallel import profiling
from jaxgen.sample.exposure import Exposure, Stack
from jaxgen.sample.restoration_program import restoration_program
from jaxgen.sample.restoration_spec import Arguments, ProgramSpec, num_calls
from jaxgen.sample.run import LoadedRun, check_finite


@dataclasses.dataclass(frozen=True, kw_only=True)
class Draws:
  """What is drawn of each image.

  Attributes:
    samples: number of samples; 0: the mean by a single answer.
    seed: their seed.
    first: number of images before these that share the seed.
    grid: noise levels of the sampler.
    cond: conditions.
    batch: windows per batch.
  """

  samples: int
  seed: int
  first: int
  grid: np.ndarray
  cond: dict[str, int]
  batch: int

  @property
  def each(self) -> int:
    """The number of answers for an image."""
    return max(self.samples, 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drawn:
  """Float images of the program, `(n max(k, 1), h, w, c)`, their variance or
  None, the network calls and seconds."""

  images: Stack
  variance: Stack | None
  calls: int
  seconds: float


def draw(
  run: LoadedRun, exposed: Exposure, spec: ProgramSpec, draws: Draws
) -> Drawn:
  """Restore images in batches of one shape.

  Raises:
    UserError: the results are not finite.
  """
  num = len(exposed.electrons) * draws.each
  program = run.cached(restoration_program, spec.side)
  at_once = max(1, draws.batch // min(spec.num_windows, WINDOWS))
  size = run.whole_batch(at_once, num)
  calls = num_calls(spec, len(draws.grid) - 1) * spec.num_windows
  images, variances, start = [], [], time.monotonic()
  with progress.loop("restoring", num * calls, unit="network calls") as advance:
    for begin in range(0, num, size):
      index = np.arange(begin, begin + size)
      arguments = _arguments(run, exposed, spec, draws=draws, index=index)
      x, variance = profiling.call(program, arguments, spec)
      images.append(np.asarray(x))
      variances += [] if variance is None else [np.asarray(variance)]
      advance(calls * size)
  found = np.concatenate(images)[:num]
  check_finite(run, finite=bool(np.isfinite(found).all()))
  return Drawn(
    images=found,
    variance=np.concatenate(variances)[:num] if variances else None,
    calls=num * calls,
    seconds=time.monotonic() - start,
  )


def _arguments(
  run: LoadedRun,
  exposed: Exposure,
  spec: ProgramSpec,
  *,
  draws: Draws,
  index: np.ndarray,
) -> Arguments:
  """The arguments for samples by number, those of one image after the other;
  numbers beyond the last one repeat it."""
  image = np.minimum(index // draws.each, len(exposed.electrons) - 1)
  keys = jax.vmap(jax.random.fold_in)(
    rng.per_sample(
      rng.stream(draws.seed, "restore"), jnp.asarray(image + draws.first)
    ),
    jnp.asarray(index % draws.each),
  )
  side = tuple(x * spec.factor // spec.measured.factor for x in spec.shape[:2])
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
    grid=jnp.asarray(draws.grid, jnp.float32),
    cond={k: np.full(len(index), v, np.int32) for k, v in draws.cond.items()},
  )


def _padded(x: Stack, side: tuple[int, ...], *, value: float) -> Stack:
  """Images with rows below and columns on the right up to a size."""
  below, right = (a - b for a, b in zip(side, x.shape[1:3], strict=True))
  around = ((0, 0), (0, below), (0, right), (0, 0))
  return np.pad(x, around, constant_values=value)
