"""What a stage needs, before it runs: from its compiled step, which is not run.

The peak is what the compiler has laid out for the step on each device (its own
memory analysis). On CPU the compiled program itself lies in the same memory:
about `CODE` bytes for each letter of its text, and `OVERHEAD` for Python and
the data (scripts/measure_memory.py holds this against real processes).
Operations are counted by the compiler on the program of unrolled layers, so
what is computed again counts twice.
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
from jaxgen.models.layers import attention_tracing
from jaxgen.parallel.memory import group_limit, program_bytes
from jaxgen.planning.roofline import Speed, measure
from jaxgen.train.schedule import Schedule, stage_schedule
from jaxgen.train.stage import StageProgram

OVERHEAD = 720 << 20  # bytes of a process besides its steps
CODE = 58  # bytes of memory for each letter of a program's text, on CPU
# Of a resolution or a width that does not fit.
SHARES = (0.75, 0.5, 0.375, 0.25, 0.125)
REMATS: tuple[Remat, ...] = ("none", "blocks", "full")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Need:
  """The needs of one way of running a stage, in bytes on each device.

  Attributes:
    accumulate: microbatches a step.
    remat: what its gradient computes again.
    peak: of the compiled step: state, batch, activations, results.
    code: of the program itself, on CPU.
    activations: what the step holds meanwhile, gradients included.
    flops: operations for one image.
    traffic: bytes for one image that the program reads and writes, on each
      device.
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
    """What has to fit into memory."""
    return self.peak + self.code


def change(program: StageProgram, **fields: Any) -> StageProgram:
  """A program with other fields of its stage."""
  stages = list(program.experiment.stages)
  stages[program.index] = dataclasses.replace(program.stage, **fields)
  experiment = dataclasses.replace(program.experiment, stages=tuple(stages))
  return dataclasses.replace(program, experiment=experiment)


def change_model(program: StageProgram, **fields: Any) -> StageProgram:
  """A program with other fields of its model, of those that it has."""
  model = with_known(program.experiment.model, **fields)
  experiment = dataclasses.replace(program.experiment, model=model)
  return dataclasses.replace(program, experiment=experiment)


def need(program: StageProgram) -> Need:
  """Compile a stage's step and read what it needs."""
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
  body of a loop once: bytes grow with the operations that it has left out."""
  found = compiled.cost_analysis() or {}
  counted = found.get("flops", 0.0) * program.layout.mesh.size
  left_out = operations / counted if counted else 1.0
  return found.get("bytes accessed", 0.0) * max(left_out, 1.0)


def compile_step(program: StageProgram) -> Any:
  """The compiled update of a stage; nothing is run."""
  arguments = program.state_shapes, batch_shapes(program), _schedule(program)
  update: Any = program.update
  return update.lower(*arguments).compile()


def _schedule(program: StageProgram) -> Schedule:
  return stage_schedule(program.experiment, program.index)


def _on_cpu() -> bool:
  return jax.default_backend() == "cpu"


def batch_shapes(program: StageProgram) -> Any:
  """Shapes of the batches that a stage's step takes."""
  size, names = program.stage.batch_size, program.task.batch_fields
  tile = pipeline.stack(pipeline.fixed_tiles(program.source("train"), 1))
  shape = lambda x: (size, *x.shape[1:])  # noqa: E731
  return {k: jax.ShapeDtypeStruct(shape(tile[k]), tile[k].dtype) for k in names}


def unrolled(program: StageProgram) -> StageProgram:
  """A program whose operations can be counted: unrolled layers and an undivided
  batch, for the body of a loop is counted only once."""
  return change(change_model(program, scan_layers=False), accumulate=1)


def flops(program: StageProgram) -> float:
  """Operations of one step; nothing is compiled."""
  flat = unrolled(program)
  shapes = jax.eval_shape(flat.initial_state, jax.random.key(0))
  with attention_tracing("unchunked"):
    step = jax.jit(flat.plain_update)
    lowered = step.lower(shapes, batch_shapes(program), _schedule(program))
  return float((lowered.cost_analysis() or {}).get("flops", float("nan")))


def divisions(program: StageProgram) -> Iterator[int]:
  """Accumulations that divide a stage's batch over the devices, from what the
  config says to microbatches of one image on each."""
  stage, devices = program.stage, program.layout.mesh.size
  for parts in range(stage.accumulate, stage.batch_size // devices + 1):
    if stage.batch_size % (parts * devices) == 0:
      yield parts


def fit(program: StageProgram, memory: int) -> Need | None:
  """A way of running a stage in `memory` bytes on each device, by operations
  the quickest.

  Computing nothing again saves more than larger microbatches, so these are
  halved first.
  """
  if bytes_of(program.state_shapes) > memory:  # no need to compile anything
    return None
  start = REMATS.index(program.stage.remat)
  for remat in REMATS[start:]:
    found = _largest(change(program, remat=remat), memory)
    if found is not None:
      return found
  return None


def _largest(program: StageProgram, memory: int) -> Need | None:
  """The largest microbatch that fits, by bisection; on CPU a program that
  splits its batch may itself be larger."""
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
  """The largest of a few smaller resolutions at which a stage does fit: shares
  of its own, and those that the model knows."""
  resolution = program.stage.resolution
  sides = {int(resolution * share) for share in SHARES}
  sides |= set(getattr(program.experiment.model, "resolutions", ()))
  for side in sorted((x for x in sides if x < resolution), reverse=True):
    if _fits(change(program, resolution=side), memory):
      return side
  return None


def largest_width(program: StageProgram, memory: int) -> str:
  """The field that makes a model wide with the largest of a few smaller values
  with which a stage does fit, as in a config; empty: there is none."""
  model: Any = program.experiment.model
  name = "width" if hasattr(model, "width") else "base_channels"
  for share in SHARES:
    fields = {name: int(getattr(model, name) * share)}
    if _fits(change_model(program, **fields), memory):
      return f"model.{name}={fields[name]}"
  return ""


def _fits(program: StageProgram, memory: int) -> bool:
  """Whether a stage fits, one image at a time and all computed again; False
  where the model cannot be so."""
  parts = max(divisions(program))
  least = change(program, remat="full", accumulate=parts)
  try:
    small = bytes_of(least.state_shapes) <= memory
    return small and need(least).total <= memory
  except UserError:
    return False


def gib(memory: int) -> str:
  """The memory of a device, if `memory` bytes of it are for steps."""
  return f"{(memory + reserved()) / 2**30:.2f} GiB"


def refusal(program: StageProgram, memory: int) -> str:
  """The message where a stage fits in no way."""
  name = f"stage {program.index + 1}"
  if memory <= 0:
    alone = f"the process alone takes {gib(0)} on each device"
    return f"{name} does not fit in {gib(memory)}: {alone}."
  if side := largest_resolution(program, memory):
    hint = f"{side} pixels would fit"
  elif width := largest_width(program, memory):
    hint = f"nor do smaller sizes, but with {width} it would"
  else:
    hint = "nor do smaller sizes, or an eighth of its width"
  return (
    f"{name} ({program.stage.resolution} pixels) does not fit in "
    f"{gib(memory)}, not even one image at a time: {hint}."
  )


def memory_for_steps(experiment: Experiment, given: int = 0) -> int:
  """Bytes that each device has for a step: of those `given`, of those of
  `batch.memory_gib`, or of what is found; on CPU less `OVERHEAD`."""
  configured = int(experiment.batch.memory_gib * 2**30)
  return (given or configured or memory_found()) - reserved()


def reserved() -> int:
  """Bytes for each device that a process takes besides its steps."""
  return OVERHEAD // jax.local_device_count() if _on_cpu() else 0


def memory_found() -> int:
  """Bytes that a device has for the run: its limit, or on CPU that of the
  control group or the machine, shared by the devices."""
  device = jax.local_devices()[0]
  stats = device.memory_stats() or {}
  if "bytes_limit" in stats:
    return int(stats["bytes_limit"])
  total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
  return min(total, group_limit() or total) // jax.local_device_count()


def measured_speed(program: StageProgram) -> Speed:
  """The speed of each device, measured now."""
  return measure(program.task.model.dtype, program.layout.mesh.size)


def describe(program: StageProgram, speed: Speed) -> dict[str, Any]:
  """Facts of a stage and its needs, as it stands in the config."""
  stage, state, found = program.stage, program.state_shapes, need(program)
  devices = program.layout.mesh.size
  each = speed.seconds(found.flops / devices, found.traffic)
  patch = getattr(program.task.model.options, "patch_size", 0)
  return {
    "resolution": stage.resolution,
    "patches": (stage.resolution // patch) ** 2 if patch else None,
    "parameters": sum(x.size for x in jax.tree.leaves(state.params)),
    "batch_size": stage.batch_size,
    "accumulate": stage.accumulate,
    "remat": stage.remat,
    "flops_per_image": found.flops,
    "traffic_per_image": found.traffic,
    "parameter_bytes": bytes_of(state.params),
    "optimizer_bytes": bytes_of(state.opt_state),
    "ema_bytes": bytes_of((state.ema, state.ema_profiles)),
    "activation_bytes": found.activations,
    "peak_bytes": found.peak,
    "process_bytes": _process(program, found),
    "seconds_per_1000": 1000 * each,
    "hours": stage.images * each / 3600,
  }


def _process(program: StageProgram, found: Need) -> int | None:
  """Bytes of the whole process on CPU, whose memory the devices share."""
  if not _on_cpu():
    return None
  return found.peak * program.layout.mesh.size + found.code + OVERHEAD


def bytes_of(tree: Any) -> int:
  """Bytes of a tree of shapes, on one device."""
  return sum(
    int(np.prod(x.sharding.shard_shape(x.shape))) * x.dtype.itemsize
    for x in jax.tree.leaves(tree)
  )
