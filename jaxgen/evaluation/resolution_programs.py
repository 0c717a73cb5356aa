"""Compiled restorations of tiles at one resolution of a run."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import progress
from jaxgen.evaluation.sensors import Sensor
from jaxgen.parallel.memory import program_bytes
from jaxgen.restoration import binned
from jaxgen.sample.denoiser import DenoiserRun
from jaxgen.typing import Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class Program:
  """A restoration of a batch of counts, whose sensor is an argument.

  Attributes:
    resolution: side of the restored tiles.
    batch: tiles of a batch.
    call: the program, `(counts, sensor)` to images of full resolution.
    bytes: memory of a tile, without the parameters.
  """

  resolution: int
  batch: int
  call: Callable[[Array, Sensor], Array]
  bytes: int


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
  own = max(program_bytes(compiled) - parameter_bytes(run), 1)
  each = batch // run.layout.mesh.size
  return Program(
    resolution=side,
    batch=batch,
    call=functools.partial(compiled, run.params),
    bytes=-(-own // each),
  )


def parameter_bytes(run: DenoiserRun) -> int:
  """Memory of the parameters of a run."""
  return sum(x.nbytes for x in jax.tree.leaves(run.params))
