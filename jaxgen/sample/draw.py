"""Sampling of any number of images, batch by batch."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import progress, rng
from jaxgen.config.fields import Seed, check_value
from jaxgen.errors import UserError
from jaxgen.parallel import profiling
from jaxgen.parallel.memory import program_bytes
from jaxgen.sample.canvas import Canvas, Drawn
from jaxgen.sample.condition_values import Indices
from jaxgen.sample.program import (
  Arguments,
  ProgramSpec,
  sampling_program,
  space_of,
)
from jaxgen.sample.resolve import ResolvedOptions
from jaxgen.sample.run import LoadedRun, check_finite
from jaxgen.windows import window_grid


def draw_images(
  run: LoadedRun,
  options: ResolvedOptions,
  canvas: Canvas,
  *,
  seed: int,
  batch: int,
) -> Drawn:
  """Run a sampler in batches of one shape.

  Raises:
    UserError: the images are not finite.
  """
  check_value("seed", Seed, seed)
  num, program = canvas.shape[0], run.cached(sampling_program)
  size, spec = run.whole_batch(batch, num), _spec(run, options, canvas)
  images, steps, calls = [], [], total_calls(options, canvas)
  with progress.loop("sampling", calls, unit="network calls") as advance:
    for first in range(0, num, size):
      index = np.arange(first, first + size)
      arguments = _arguments(run, options, canvas, index=index, seed=seed)
      x, seen, finite = profiling.call(program, arguments, spec)
      check_finite(run, finite=bool(finite))
      images.append(np.asarray(x))
      steps += [] if seen is None else [np.asarray(seen)]
      advance(calls // num * size)
  trajectory = np.concatenate(steps, 1)[:, :num] if steps else None
  return Drawn(np.concatenate(images)[:num], trajectory)


def total_calls(options: ResolvedOptions, canvas: Canvas) -> int:
  """The network calls for all images, one for each window of a canvas; a
  correction towards known images costs two."""
  num, height, width, _ = canvas.shape
  calls = num * options.network_calls * (1 + 2 * canvas.corrections)
  side = canvas.window
  if not side:
    return calls
  grid = window_grid(height, width, side=side, overlap=side // 2)
  return calls * len(grid)


def program_memory(
  run: LoadedRun, options: ResolvedOptions, canvas: Canvas
) -> int:
  """Memory in bytes of the program that samples a canvas as one batch."""
  index = np.arange(canvas.shape[0])
  arguments = _arguments(run, options, canvas, index=index, seed=0)
  program = run.cached(sampling_program)
  lowered = program.lower(arguments, _spec(run, options, canvas))
  return program_bytes(lowered.compile())


def _state_shape(run: LoadedRun, canvas: Canvas) -> tuple[int, ...]:
  """The shape of what the sampler walks: a canvas of a run of images may have
  any size.

  Raises:
    UserError: the size is not that of the run's images.
  """
  state, image, shape = space_of(run).shape, run.image_shape, canvas.shape[1:]
  if state == image:
    return shape
  if shape == image:
    return state
  (height, width, _), (rows, columns, _) = image, shape
  raise UserError(
    f"images of {rows} x {columns} pixels: expected {height} x {width} for"
    f" {run.workdir}, whose denoiser works on latents."
  )


def _spec(
  run: LoadedRun, options: ResolvedOptions, canvas: Canvas
) -> ProgramSpec:
  weak = options.weak
  return ProgramSpec(
    sampler=options.sampler,
    plain=options.plain,
    weak=None if weak is None else weak.task.denoiser,
    state_shape=_state_shape(run, canvas),
    window=canvas.window,
    corrections=canvas.corrections,
    trajectory=canvas.trajectory,
  )


def _arguments(
  run: LoadedRun,
  options: ResolvedOptions,
  canvas: Canvas,
  *,
  index: np.ndarray,
  seed: int,
) -> Arguments:
  """The program's arguments for the images of a batch; indices beyond the last
  image repeat it."""
  num = canvas.shape[0]
  chosen = np.minimum(index, num - 1)
  numbers = jnp.asarray(index * (not canvas.one_noise) + canvas.first)
  keys = rng.per_sample(rng.stream(seed, canvas.stream), numbers)
  inputs = dataclasses.replace(
    canvas.inputs, hint=options.hints_of(canvas.shape)
  )
  part = jax.tree.map(lambda x: x[chosen], inputs)
  keys, part = jax.device_put((keys, part), run.layout.batch)
  terms = tuple(
    {name: _each(name, value, num)[chosen] for name, value in term.items()}
    for term in options.terms
  )
  return Arguments(
    params=run.params,
    frozen=run.frozen,
    weak_params=None if options.weak is None else options.weak.params,
    keys=keys,
    inputs=part,
    grid=jnp.asarray(options.grid, jnp.float32),
    terms=terms,
    weights=options.weights,
    interval=options.interval,
    hint_noise=options.hint_noise,
    control_scale=options.control_scale,
  )


def _each(name: str, value: Indices, num: int) -> np.ndarray:
  """The value index of a condition for each of `num` images."""
  if np.ndim(value) and np.shape(value) != (num,):
    raise UserError(
      f"conditions: expected a single {name} or one per image ({num}), got "
      f"{np.size(value)} values."
    )
  return np.broadcast_to(np.asarray(value, np.int32), (num,))
