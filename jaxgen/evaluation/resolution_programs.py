"""Compiled restorations of tiles at one resolution of a run."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import progress
from jaxgen.evaluation.sensors import Sensor
from jaxgen.parallel.memory import program_bytes
from jaxgen.restoration import binned
from jaxgen.restoration.named_operators import named_operator
from jaxgen.restoration.posterior import CORRECTIONS
from jaxgen.sample.denoiser import DenoiserRun
from jaxgen.sample.resolve import FREE
from jaxgen.sample.restoration_program import restoration_program
from jaxgen.sample.restoration_spec import Arguments, ProgramSpec
from jaxgen.typing import Array

MANY = 4  # tiles at a time, for the memory of each


@dataclasses.dataclass(frozen=True, kw_only=True)
class Program:
  """A restoration of a batch of counts, whose sensor is an argument.

  Attributes:
    resolution: side of the restored tiles.
    batch: tiles of a batch.
    call: the program, `(counts, sensor)` to images of full resolution.
    bytes: memory of the program of `restore` for a tile, which also tells the
      standard deviation, without the parameters.
    more_bytes: that of each further tile at a time.
  """

  resolution: int
  batch: int
  call: Callable[[Array, Sensor], Array]
  bytes: int
  more_bytes: int


def compiled(run: DenoiserRun, side: int, *, full: int, batch: int) -> Program:
  """The restoration of a batch of counts, whose noise is an argument."""
  denoiser = run.task_at(side).denoiser
  assert denoiser is not None
  noise_map = run.experiment.diffusion.noise_map

  @jax.jit
  def program(params: Any, counts: Array, sensor: Sensor) -> Array:
    return binned.restored_mean(
      denoiser(params),
      counts,
      factor=full // side,
      noise_map=noise_map,
      scale=sensor.scale,
      offset=sensor.offset,
      read_noise=sensor.read_noise,
    )

  counts = jnp.zeros((batch, full, full, run.image_shape[2]))
  counts = jax.device_put(counts, run.layout.batch)
  sensor = Sensor(photons=1.0)
  with progress.loop(f"compiling the restoration at {side} pixels"):
    compiled = program.lower(run.params, counts, sensor).compile()
  one, many = (_program_bytes(run, side, full, num) for num in (1, MANY))
  return Program(
    resolution=side,
    batch=batch,
    call=functools.partial(compiled, run.params),
    bytes=one,
    more_bytes=max(1, -(-(many - one) // (MANY - 1))),
  )


def _program_bytes(run: DenoiserRun, side: int, full: int, num: int) -> int:
  """Memory of `restore`, without a sampler, of so many tiles on each device."""
  spec = ProgramSpec(
    sampler=None,
    side=side,
    shape=(side, side, run.image_shape[2]),
    factor=full // side,
    measured=named_operator("none"),
    corrections=CORRECTIONS,
    noise_map=run.experiment.diffusion.noise_map,
  )
  program = restoration_program(run, side)
  arguments = _arguments(run, full, num * run.layout.mesh.size)
  with progress.loop(f"compiling for the memory of {num} tiles of {side}"):
    compiled = program.lower(arguments, spec).compile()
  return max(program_bytes(compiled) - parameter_bytes(run), 1)


def _arguments(run: DenoiserRun, full: int, batch: int) -> Arguments:
  """The arguments for a batch of tiles, of which only the shapes matter."""
  counts = np.zeros((batch, full, full, run.image_shape[2]), np.float32)
  even = np.ones(batch, np.float32)
  keys = jax.random.split(jax.random.key(0), batch)
  keys, counts, even = jax.device_put((keys, counts, even), run.layout.batch)
  return Arguments(
    params=run.params,
    keys=keys,
    counts=counts,
    read_noise=counts,
    scale=even,
    offset=even,
    grid=jnp.zeros(2),
    cond={name: np.full(batch, FREE, np.int32) for name in run.conditions},
  )


def parameter_bytes(run: DenoiserRun) -> int:
  """Memory of the parameters of a run."""
  return sum(x.nbytes for x in jax.tree.leaves(run.params))
