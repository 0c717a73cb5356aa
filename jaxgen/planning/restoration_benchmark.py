"""Time and memory of restorations by resolution and batch size, on this
machine.

The parameters are zeros: neither time nor memory depends on them.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import progress
from jaxgen.config.experiment import Experiment
from jaxgen.diffusion import sampling, sigmas
from jaxgen.diffusion.samplers import SAMPLERS
from jaxgen.errors import UserError
from jaxgen.parallel.memory import is_exhausted, program_bytes
from jaxgen.planning.roofline import seconds
from jaxgen.restoration import posterior
from jaxgen.tasks import families
from jaxgen.tasks.task import Task
from jaxgen.typing import Array, ConditionNames, DenoiseFn

RESOLUTIONS = (32, 64, 96, 128)
BATCHES = (1, 4, 8, 16)
SAMPLER, STEPS = "dpmpp_2m", 36  # of a sample
PHOTONS = 20.0
Restored = Callable[[DenoiseFn, Array], Array]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cost:
  """The cost of restoring a batch of images.

  Attributes:
    resolution: side of the images in pixels.
    batch: number of images.
    kind: `mean`, without a sampler, or `sample`.
    seconds: time of the batch; None: out of memory.
    bytes: memory of the program on each device; 0: not reported.
  """

  resolution: int
  batch: int
  kind: str
  seconds: float | None
  bytes: int


def measure(
  experiment: Experiment,
  names: ConditionNames,
  *,
  resolutions: Sequence[int] = RESOLUTIONS,
  batches: Sequence[int] = BATCHES,
  steps: int = STEPS,
  repeats: int = 3,
) -> Iterator[Cost]:
  """Measure the restorations of a denoiser, one after the other, on one device.

  Args:
    experiment: the experiment, of which the last stage's model is taken.
    names: value names of its conditions.
    resolutions: sides of the images.
    batches: numbers of images.
    steps: steps of the sampler.
    repeats: timed calls, of which the median is taken.

  Raises:
    UserError: the experiment has no denoiser, or none of a resolution.
  """
  noise_map = experiment.diffusion.noise_map
  tasks = {x: _task(experiment, names, x) for x in resolutions}
  places = list(itertools.product(tasks, batches, _kinds(steps).items()))
  for place in progress.each("restoring", places, unit="programs"):
    side, batch, (kind, restored) = place
    program = _program(tasks[side], restored, noise_map=noise_map)
    shape = (batch, side, side, experiment.data.channels)
    arguments = _zeros(tasks[side]), jnp.full(shape, PHOTONS / 2)
    taken, size = _measured(program, arguments, repeats)
    yield Cost(
      resolution=side, batch=batch, kind=kind, seconds=taken, bytes=size
    )


def _measured(
  program: Any, arguments: tuple[Any, Array], repeats: int
) -> tuple[float | None, int]:
  """The time and the memory of a program; no time if memory is exhausted."""
  size = 0
  try:
    compiled = program.lower(*arguments).compile()
    size = program_bytes(compiled)
    return seconds(lambda: compiled(*arguments), repeats), size
  except jax.errors.JaxRuntimeError as e:
    if not is_exhausted(e):
      raise
    return None, size


def _zeros(task: Task) -> Any:
  shapes = jax.eval_shape(task.init, jax.random.key(0))
  return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)


def _task(experiment: Experiment, names: ConditionNames, side: int) -> Task:
  if experiment.latent.run:
    raise UserError(
      "--restore: expected a denoiser of images, got latent.run="
      f"{experiment.latent.run}."
    )
  try:
    task = families.build(experiment, names, resolution=side)
  except UserError as e:
    raise UserError(f"resolutions: {side}: {e}") from e
  if task.denoiser is None:
    raise UserError(
      f"--restore: expected a denoiser, got task={experiment.task}."
    )
  if experiment.hint.kind:
    raise UserError(
      f"--restore: expected no hint, got hint.kind={experiment.hint.kind}."
    )
  return task


def _kinds(steps: int) -> dict[str, Restored]:
  """Restorations `(denoise, counts) -> images` of both kinds."""
  grid = sigmas.karras(steps)
  sampler = SAMPLERS[SAMPLER]

  def mean(denoise: DenoiseFn, counts: Array) -> Array:
    nothing = jnp.full(len(counts), jnp.inf)
    return denoise(jnp.zeros_like(counts), nothing)

  def sample(denoise: DenoiseFn, counts: Array) -> Array:
    start = grid[0] * jnp.ones_like(counts)
    return sampling.sample(sampler, denoise, start, grid)

  return {"mean": mean, "sample": sample}


def _program(task: Task, restored: Restored, *, noise_map: bool) -> Any:
  assert task.denoiser is not None
  denoiser = task.denoiser

  @jax.jit
  def program(params: Any, counts: Array) -> Array:
    denoise = posterior.restore(
      denoiser(params),
      counts,
      scale=PHOTONS / 2,
      offset=PHOTONS / 2 + 1,
      read_noise=1.0,
      noise_map=noise_map,
    )
    return restored(denoise, counts)

  return program
