"""Benchmark of a config's speed and memory on this machine, as medians.

The state is random, the data are real. Shares of the peak are relative to a
matrix product measured in the same run, on the same devices and with the same
dtype.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.compilation_cache import compilation_cache

from jaxgen import rng
from jaxgen.config.experiment import Experiment
from jaxgen.data import pipeline
from jaxgen.diffusion import samplers, sampling, sigmas
from jaxgen.images import normalize, to_uint8
from jaxgen.latents import density
from jaxgen.models.build import compute_dtype
from jaxgen.parallel import device
from jaxgen.parallel.memory import program_bytes
from jaxgen.planning import cost
from jaxgen.planning.roofline import matrix_product, seconds
from jaxgen.runs import companions
from jaxgen.tasks.companion import with_base
from jaxgen.tasks.space import tiles_encoder
from jaxgen.train.programs import stage_programs
from jaxgen.train.schedule import stage_schedule
from jaxgen.train.stage import StageProgram
from jaxgen.train.state import TrainState
from jaxgen.typing import Batch

STEPS = 18  # sampler steps
LATENTS = 512  # latents that the benchmark's density is fitted to

Report = dict[str, Any]


def benchmark(experiment: Experiment, *, repeats: int = 10) -> Report:
  """Measure the last stage of an experiment.

  Args:
    experiment: the experiment.
    repeats: timed calls of each program, of which the median is taken.

  Returns:
    Numbers by name, with the unit in the name.
  """
  on_the_fly = dataclasses.replace(experiment.latent, views=0)
  experiment = dataclasses.replace(experiment, latent=on_the_fly)
  leans_on = companions.find(experiment)
  program = stage_programs(experiment, companions=leans_on)[-1]
  stage, layout = program.stage, program.layout
  layout.check(stage.batch_size, stage.accumulate)
  batch = layout.put(next(_batches(program)))
  peak = matrix_product(compute_dtype(experiment.model.dtype), repeats)
  report: Report = {
    "devices": device.label(),
    "jax": jax.__version__,
    "resolution": stage.resolution,
    "batch_size": stage.batch_size,
    "parameters": _count(program.state_shapes.params),
    "matrix_product_gflops": peak / 1e9,
  }
  report |= _training(program, batch, peak=peak, repeats=repeats)
  report |= _data(program, report["train_images_per_second"], repeats)
  if program.task.draws_latents:
    report |= _codec(program, batch, repeats)
  if program.task.denoiser:
    report |= _denoiser(program, batch, repeats)
  report["process_peak_mib"] = _process_peak() / 2**20
  return report


def _batches(program: StageProgram):
  return pipeline.batches(
    program.source("train"),
    program.experiment.data,
    batch_size=program.stage.batch_size,
    stream="benchmark",
    keep=program.task.batch_fields,
  )


def _count(tree: Any) -> int:
  return sum(x.size for x in jax.tree.leaves(tree))


def _process_peak() -> int:
  """Peak resident size of this process, in bytes."""
  size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  return size if sys.platform == "darwin" else size * 1024


def _training(
  program: StageProgram, batch: Batch, *, peak: float, repeats: int
) -> Report:
  step: Any = program.update
  state = program.fresh_state()
  schedule = stage_schedule(program.experiment, program.index)
  start = time.perf_counter()
  with _uncached():
    compiled = step.lower(state, batch, schedule).compile()
  compile_seconds = time.perf_counter() - start
  holder: list[TrainState] = [state]

  def call() -> Any:
    holder[0], metrics = compiled(holder[0], batch, schedule)
    return metrics

  taken = seconds(call, repeats, warm_up=5)  # until memory is used again
  flops = cost.flops(program)
  return {
    "compile_seconds": compile_seconds,
    "step_seconds": taken,
    "train_images_per_second": program.stage.batch_size / taken,
    "step_gflop": flops / 1e9,
    "step_gflops_per_second": flops / taken / 1e9,
    "share_of_matrix_product": flops / taken / peak,
    "step_peak_mib": program_bytes(compiled) / 2**20,
  }


@contextlib.contextmanager
def _uncached() -> Iterator[None]:
  """Disable the compilation cache within the block."""
  options: Any = jax.config
  enabled = options.jax_enable_compilation_cache
  options.update("jax_enable_compilation_cache", False)
  compilation_cache.reset_cache()  # JAX remembers the first setting
  try:
    yield
  finally:
    options.update("jax_enable_compilation_cache", enabled)
    compilation_cache.reset_cache()


def _data(program: StageProgram, needed: float, repeats: int) -> Report:
  """Images per second of the input pipeline alone, and its time to start."""
  start = time.perf_counter()
  with contextlib.closing(_batches(program)) as batches:
    next(batches)
    first = time.perf_counter() - start
    start, calls = time.perf_counter(), max(repeats, 20)
    for _ in range(calls):
      next(batches)
    took = time.perf_counter() - start
  speed = calls * program.stage.batch_size / took
  return {
    "data_first_batch_seconds": first,
    "data_images_per_second": speed,
    "data_over_training": speed / needed,
  }


def _codec(program: StageProgram, batch: Batch, repeats: int) -> Report:
  """Images per second of encoding, decoding and sampling."""
  codec, params = program.task.codec, program.fresh_state().params
  encode = jax.jit(lambda p, x: codec(p).encode(normalize(x)))
  decode = jax.jit(lambda p, z: to_uint8(codec(p).decode(z)))
  latents = encode(params, batch["image"])
  flat = np.asarray(latents).reshape(len(latents), -1)
  known = np.resize(flat, (LATENTS, flat.shape[1]))
  known = known + np.random.default_rng(0).normal(size=known.shape, scale=0.1)
  fitted = density.fit(known, "gaussian")

  @jax.jit
  def sample(p, keys):
    z = density.draw(fitted, "gaussian", keys)
    return to_uint8(codec(p).decode(z.reshape(latents.shape)))

  n = len(latents)
  keys = rng.per_sample(rng.stream(0, "benchmark"), jnp.arange(n))
  speed = lambda f, x: n / seconds(lambda: f(params, x), repeats)  # noqa: E731
  return {
    "encode_images_per_second": speed(encode, batch["image"]),
    "decode_images_per_second": speed(decode, latents),
    "sample_images_per_second": speed(sample, keys),
  }


def _denoiser(program: StageProgram, batch: Batch, repeats: int) -> Report:
  """Denoiser calls per second, images per second of two samplers, and their
  overhead beyond the denoiser calls."""
  denoiser, space = program.task.denoiser, program.task.space
  assert denoiser is not None and space is not None
  state = program.fresh_state()
  params = with_base(state.params, state.frozen)
  x = jax.jit(tiles_encoder(space))(state.frozen, batch["image"])
  n = len(x)
  call = jax.jit(lambda p, x: denoiser(p)(x, jnp.ones(n)))
  call_seconds = seconds(lambda: call(params, x), repeats)
  report: Report = {
    "denoiser_calls_per_second": 1 / call_seconds,
    "denoiser_images_per_second": n / call_seconds,
  }
  grid = sigmas.karras(STEPS)

  @functools.partial(jax.jit, static_argnums=0)
  def sample(sampler, p, x):
    return sampling.sample(sampler, denoiser(p), x, grid)

  for name, sampler in (("euler", samplers.euler), ("heun", samplers.heun)):
    run = functools.partial(sample, sampler, params, 80 * x)
    taken, calls = seconds(run, max(repeats // 3, 1)), sampler.nfe(STEPS)
    report[f"{name}_{STEPS}_images_per_second"] = n / taken
    overhead = taken / (calls * call_seconds) - 1
    report[f"{name}_{STEPS}_overhead"] = overhead
  return report
