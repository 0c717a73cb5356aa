"""Cost model of a stage: memory and operations of its step, without running it.

The peak is the compiler's memory analysis of the step on each device. On CPU
the compiled program shares that memory: about `CODE` bytes per character of its
text, plus `OVERHEAD` for Python and the data (scripts/measure_memory.py
compares this with real processes). The compiler counts operations with layers
unrolled; recomputed operations count twice.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from jaxgen.config.experiment import Experiment, with_known
from jaxgen.config.stages import Remat
from jaxgen.data import pipeline
from jaxgen.errors import UserError
from jaxgen.models.attention import attention_tracing
from jaxgen.parallel.device import platform
from jaxgen.parallel.memory import group_limit, program_bytes
from jaxgen.planning.roofline import Speed, measure
from jaxgen.train.schedule import Schedule, stage_schedule
from jaxgen.train.stage import StageProgram

OVERHEAD = 720 << 20  # bytes of a process besides its steps
CODE = 58  # bytes of memory per character of a program's text, on CPU
# Fractions to try of a resolution or width that does not fit.
SHARES = (0.75, 0.5, 0.375, 0.25, 0.125)
REMATS: tuple[Remat, ...] = ("none", "blocks", "full")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Need:
  """The cost of a stage with given microbatches and rematerialization; memory
  is in bytes on each device.

  Attributes:
    accumulate: microbatches per step.
    remat: activations recomputed in the backward pass.
    peak: memory of the compiled step: state, batch, activations, results.
    code: memory of the program itself, on CPU.
    activations: temporary memory of the step, including gradients.
    flops: operations per image.
    traffic: bytes read and written per image, on each device.
  """

  accumulate: int
  remat: str
  peak: int
  code: int
  activations: int
  flops: float
  traffic: float

  @property
  def total(self) -> int:
    """The memory that has to be available."""
    return self.peak + self.code


def change(program: StageProgram, **fields: Any) -> StageProgram:
  """A program with some fields of its stage changed."""
  stages = list(program.experiment.stages)
  stages[program.index] = dataclasses.replace(program.stage, **fields)
  experiment = dataclasses.replace(program.experiment, stages=tuple(stages))
  return dataclasses.replace(program, experiment=experiment)


def change_model(program: StageProgram, **fields: Any) -> StageProgram:
  """A program with some fields of its model changed; unknown fields are
  ignored."""
  model = with_known(program.experiment.model, **fields)
  experiment = dataclasses.replace(program.experiment, model=model)
  return dataclasses.replace(program, experiment=experiment)


def need(program: StageProgram) -> Need:
  """Compile a stage's step and read its cost."""
  compiled = compile_step(program)
  memory: Any = compiled.memory_analysis()
  size, operations = program.stage.batch_size, flops(program)
  return Need(
    accumulate=program.stage.accumulate,
    remat=program.stage.remat,
    peak=program_bytes(compiled),
    code=CODE * len(compiled.as_text() or "") if _on_cpu() else 0,
    activations=memory.temp_size_in_bytes if memory else 0,
    flops=operations / size,
    traffic=_traffic(program, compiled, operations) / size,
  )


def _traffic(program: StageProgram, compiled: Any, operations: float) -> float:
  """Bytes that a step reads and writes on each device. The compiler counts the
  body of a loop once, so bytes are scaled up as the operations are."""
  analysis = compiled.cost_analysis() or {}
  counted = analysis.get("flops", 0.0) * program.layout.mesh.size
  scale = operations / counted if counted else 1.0
  return analysis.get("bytes accessed", 0.0) * max(scale, 1.0)


def compile_step(program: StageProgram) -> Any:
  """The compiled update of a stage; nothing is run."""
  arguments = program.state_shapes, batch_shapes(program), _schedule(program)
  update: Any = program.update
  return update.lower(*arguments).compile()


def _schedule(program: StageProgram) -> Schedule:
  return stage_schedule(program.experiment, program.index)


def _on_cpu() -> bool:
  return platform() == "cpu"


def batch_shapes(program: StageProgram) -> Any:
  """Shapes of a stage's batches."""
  size, names = program.stage.batch_size, program.task.batch_fields
  tile = pipeline.stack(pipeline.fixed_tiles(program.source("train"), 1))
  stored = program.stored_shapes
  shapes = {k: (v.shape[1:], v.dtype) for k, v in tile.items()}
  shapes |= {k: (v, np.dtype(np.float32)) for k, v in stored.items()}
  shaped = jax.ShapeDtypeStruct
  return {k: shaped((size, *shapes[k][0]), shapes[k][1]) for k in names}


def unrolled(program: StageProgram) -> StageProgram:
  """A program for counting operations: with unrolled layers and an undivided
  batch, since the body of a loop is counted only once."""
  return change(change_model(program, scan_layers=False), accumulate=1)


def flops(program: StageProgram) -> float:
  """Operations of one step; nothing is compiled."""
  flat = unrolled(program)
  shapes = jax.eval_shape(flat.initial_state, jax.random.key(0))
  shapes = dataclasses.replace(shapes, frozen=flat.state_shapes.frozen)
  with attention_tracing("unchunked"):
    step = jax.jit(flat.plain_update)
    lowered = step.lower(shapes, batch_shapes(program), _schedule(program))
  return float((lowered.cost_analysis() or {}).get("flops", float("nan")))


def divisions(program: StageProgram) -> Iterator[int]:
  """Values of `accumulate` that divide a stage's batch over the devices, from
  that of the config to microbatches of one image per device."""
  stage, devices = program.stage, program.layout.mesh.size
  for parts in range(stage.accumulate, stage.batch_size // devices + 1):
    if stage.batch_size % (parts * devices) == 0:
      yield parts


def fit(program: StageProgram, memory: int) -> Need | None:
  """The configuration of a stage with the fewest operations that fits in
  `memory` bytes on each device; None if there is none.

  Avoiding recomputation gains more than larger microbatches, so these are
  reduced first.
  """
  if bytes_of(program.state_shapes) > memory:  # skips the compilation
    return None
  start = REMATS.index(program.stage.remat)
  for remat in REMATS[start:]:
    largest = _largest(change(program, remat=remat), memory)
    if largest is not None:
      return largest
  return None


def _largest(program: StageProgram, memory: int) -> Need | None:
  """The cost with the largest microbatch that fits, by bisection; on CPU a
  program that splits its batch may be larger."""
  parts = list(divisions(program))
  need_of = functools.cache(
    lambda i: need(change(program, accumulate=parts[i]))
  )
  low, high = 0, len(parts) - 1
  if need_of(low).total <= memory:
    return need_of(low)
  if need_of(high).total > memory:
    return None
  while low < high:
    middle = (low + high) // 2
    fits = need_of(middle).total <= memory
    low, high = (low, middle) if fits else (middle + 1, high)
  return need_of(high)


def largest_resolution(program: StageProgram, memory: int) -> int | None:
  """The largest of some smaller resolutions at which a stage fits: fractions of
  its own, and those of the model; None if there are none."""
  resolution = program.stage.resolution
  sides = {int(resolution * share) for share in SHARES}
  sides |= set(getattr(program.experiment.model, "resolutions", ()))
  for side in sorted((x for x in sides if x < resolution), reverse=True):
    if _fits(change(program, resolution=side), memory):
      return side
  return None


def largest_width(program: StageProgram, memory: int) -> str:
  """The config field of a model's width with the largest of some smaller values
  at which a stage fits; empty if there are none."""
  model: Any = program.experiment.model
  name = "width" if hasattr(model, "width") else "base_channels"
  for share in SHARES:
    fields = {name: int(getattr(model, name) * share)}
    if _fits(change_model(program, **fields), memory):
      return f"model.{name}={fields[name]}"
  return ""


def _fits(program: StageProgram, memory: int) -> bool:
  """Whether a stage fits with microbatches of one image and full
  rematerialization; False if the model is invalid."""
  parts = max(divisions(program))
  least = change(program, remat="full", accumulate=parts)
  try:
    small = bytes_of(least.state_shapes) <= memory
    return small and need(least).total <= memory
  except UserError:
    return False


def gib(memory: int) -> str:
  """The memory of a device of which `memory` bytes are for steps, as text."""
  return f"{(memory + reserved()) / 2**30:.2f} GiB"


def refusal(program: StageProgram, memory: int) -> str:
  """The error message for a stage that cannot be made to fit."""
  name = f"stage {program.index + 1}"
  if memory <= 0:
    alone = f"the process alone takes {gib(0)} on each device"
    return f"{name} does not fit in {gib(memory)}: {alone}."
  if side := largest_resolution(program, memory):
    hint = f"{side} pixels would fit"
  elif width := largest_width(program, memory):
    hint = f"smaller resolutions do not fit either, but {width} would"
  else:
    hint = "neither smaller resolutions nor an eighth of its width would fit"
  return (
    f"{name} ({program.stage.resolution} pixels) does not fit in "
    f"{gib(memory)}, even with microbatches of one image: {hint}."
  )


def memory_for_steps(experiment: Experiment, given: int = 0) -> int:
  """Bytes of each device available for a step: `given`, else
  `batch.memory_gib`, else as detected; on CPU less `OVERHEAD`."""
  configured = int(experiment.batch.memory_gib * 2**30)
  return (given or configured or memory_found()) - reserved()


def reserved() -> int:
  """Bytes per device that a process takes besides its steps."""
  return OVERHEAD // jax.local_device_count() if _on_cpu() else 0


def memory_found() -> int:
  """The detected memory of a device in bytes: its limit, or on CPU that of the
  control group or the machine, shared by the devices."""
  device = jax.local_devices()[0]
  stats = device.memory_stats() or {}
  if "bytes_limit" in stats:
    return int(stats["bytes_limit"])
  total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
  return min(total, group_limit() or total) // jax.local_device_count()


def measured_speed(program: StageProgram) -> Speed:
  """The measured speed of each device."""
  return measure(program.task.model.dtype, program.layout.mesh.size)


def describe(program: StageProgram, speed: Speed) -> dict[str, Any]:
  """Sizes, cost and time of a stage, as configured."""
  stage, state, needed = program.stage, program.state_shapes, need(program)
  devices = program.layout.mesh.size
  image_seconds = speed.seconds(needed.flops / devices, needed.traffic)
  patch = getattr(program.task.model.options, "patch_size", 0)
  return {
    "resolution": stage.resolution,
    "patches": (stage.resolution // patch) ** 2 if patch else None,
    "parameters": sum(x.size for x in jax.tree.leaves(state.params)),
    "batch_size": stage.batch_size,
    "accumulate": stage.accumulate,
    "remat": stage.remat,
    "flops_per_image": needed.flops,
    "traffic_per_image": needed.traffic,
    "parameter_bytes": bytes_of(state.params),
    "optimizer_bytes": bytes_of(state.opt_state),
    "ema_bytes": bytes_of((state.ema, state.ema_profiles)),
    "companion_bytes": bytes_of(state.frozen),
    "activation_bytes": needed.activations,
    "peak_bytes": needed.peak,
    "process_bytes": _process(program, needed),
    "seconds_per_1000": 1000 * image_seconds,
    "hours": stage.images * image_seconds / 3600,
  }


def _process(program: StageProgram, needed: Need) -> int | None:
  """Bytes of the whole process on CPU, where devices share the memory."""
  if not _on_cpu():
    return None
  return needed.peak * program.layout.mesh.size + needed.code + OVERHEAD


def bytes_of(tree: Any) -> int:
  """Bytes of a tree of shapes, on one device."""
  return sum(
    int(np.prod(x.sharding.shard_shape(x.shape))) * x.dtype.itemsize
    for x in jax.tree.leaves(tree)
  )
