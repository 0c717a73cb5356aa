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
from jaxgen.sample.conditions import FREE
from jaxgen.sample.denoiser import DenoiserRun
from jaxgen.sample.program import prior_of
from jaxgen.sample.restoration_program import restoration_program
from jaxgen.sample.restoration_spec import Arguments, ProgramSpec, covering
from jaxgen.typing import Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class Program:
  """A restoration of a batch of counts, whose sensor is an argument.

  Attributes:
    resolution: side of the restored tiles.
    batch: tiles of a batch.
    call: the program, `(counts, sensor)` to images of full resolution.
    bytes: memory of the program of `restore` for a tile, which also tells the
      standard deviation, without the parameters.
    window_bytes: that of each window of a larger image.
  """

  resolution: int
  batch: int
  call: Callable[[Array, Sensor], Array]
  bytes: int
  window_bytes: int


def compiled(run: DenoiserRun, side: int, *, full: int, batch: int) -> Program:
  """The restoration of a batch of counts, whose noise is an argument."""
  denoiser = prior_of(run, side)
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
  return Program(
    resolution=side,
    batch=batch,
    call=functools.partial(compiled, run.params),
    bytes=_window_bytes(run, side, full // side, full),
    window_bytes=_window_bytes(run, side, full // side, 2 * full),
  )


def _window_bytes(run: DenoiserRun, side: int, factor: int, size: int) -> int:
  """Memory of `restore`, without a sampler and the parameters, for each window
  of an image of a size."""
  spec = ProgramSpec(
    sampler=None,
    side=side,
    shape=run.image_shape,
    factor=factor,
    measured=named_operator("none"),
    corrections=CORRECTIONS,
    noise_map=run.experiment.diffusion.noise_map,
  )
  counts = (run.layout.mesh.size, size, size, run.image_shape[2])
  spec = covering(spec, counts, side=side, factor=factor)
  program = restoration_program(run, side)
  with progress.loop(f"compiling for {spec.num_windows} windows of {side}"):
    compiled = program.lower(_arguments(run, counts), spec).compile()
  own = program_bytes(compiled) - parameter_bytes(run)
  return max(1, -(-own // spec.num_windows))


def _arguments(run: DenoiserRun, shape: tuple[int, ...]) -> Arguments:
  """The arguments for counts of a shape, of which nothing else matters."""
  batch, counts = shape[0], np.zeros(shape, np.float32)
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
