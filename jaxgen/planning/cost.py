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
from ml_collections import ConfigDict

from jaxgen.data import pipeline
from jaxgen.errors import UserError
from jaxgen.models.layers import Remat, traced
from jaxgen.parallel.memory import group_limit, program_bytes
from jaxgen.planning.roofline import Speed, measure
from jaxgen.train.plan import Plan

OVERHEAD = 720 << 20  # bytes of a process besides its steps
CODE = 58  # bytes of memory for each letter of a program's text, on CPU
# Of a resolution or a width that does not fit.
SHARES = (0.75, 0.5, 0.375, 0.25, 0.125)
REMATS: tuple[Remat, ...] = ("none", "blocks", "full")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Need:
  """What one way of running a stage takes, in bytes on each device.

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


def change(plan: Plan, stage: int, **fields: Any) -> Plan:
  """A plan with one stage changed."""
  rows = list(plan.stages)
  rows[stage] = dataclasses.replace(rows[stage], **fields)
  return dataclasses.replace(plan, stages=tuple(rows))


def need(plan: Plan, stage: int) -> Need:
  """Compile a stage's step and read what it needs."""
  row, compiled = plan.stages[stage], compile_step(plan, stage)
  memory: Any = compiled.memory_analysis()
  operations = flops(plan, stage)
  return Need(
    accumulate=row.accumulate,
    remat=row.remat,
    peak=program_bytes(compiled),
    code=CODE * len(compiled.as_text() or "") if _on_cpu() else 0,
    activations=memory.temp_size_in_bytes if memory else 0,
    flops=operations / row.batch_size,
    traffic=_traffic(plan, compiled, operations) / row.batch_size,
  )


def _traffic(plan: Plan, compiled: Any, operations: float) -> float:
  """Bytes that a step reads and writes on each device. The compiler counts the
  body of a loop once: bytes grow with the operations that it has left out."""
  found = compiled.cost_analysis() or {}
  counted = found.get("flops", 0.0) * plan.layout.mesh.size
  left_out = operations / counted if counted else 1.0
  return found.get("bytes accessed", 0.0) * max(left_out, 1.0)


def compile_step(plan: Plan, stage: int) -> Any:
  """The compiled update of a stage; nothing is run."""
  shapes, batch = plan.shapes(stage), batch_shapes(plan, stage)
  return plan.update(stage).lower(shapes, batch, plan.pace(stage)).compile()


def _on_cpu() -> bool:
  return jax.default_backend() == "cpu"


def batch_shapes(plan: Plan, stage: int) -> Any:
  """Of the batches that a stage's step takes."""
  row, names = plan.stages[stage], plan.task(stage).inputs
  tile = pipeline.stack(pipeline.fixed_tiles(plan.source("train", stage), 1))
  shape = lambda x: (row.batch_size, *x.shape[1:])  # noqa: E731
  return {k: jax.ShapeDtypeStruct(shape(tile[k]), tile[k].dtype) for k in names}


def of_model(plan: Plan, **fields: Any) -> Plan:
  """A plan with another model, of the fields that it has."""
  config: Any = ConfigDict(plan.config.to_dict())
  known = {k: v for k, v in fields.items() if k in config.model}
  config.model.update(known)
  return dataclasses.replace(plan, config=config)


def unrolled(plan: Plan, stage: int) -> Plan:
  """A plan whose operations can be counted: unrolled layers and an undivided
  batch, for the body of a loop is counted only once."""
  return change(of_model(plan, scan_layers=False), stage, accumulate=1)


def flops(plan: Plan, stage: int) -> float:
  """Operations of one step; nothing is compiled."""
  flat = unrolled(plan, stage)
  shapes = jax.eval_shape(flat.create(stage), jax.random.key(0))
  with traced("whole"):
    step = jax.jit(flat.step(stage))
    batch = batch_shapes(plan, stage)
    lowered = step.lower(shapes, batch, plan.pace(stage))
  return float((lowered.cost_analysis() or {}).get("flops", float("nan")))


def divisions(plan: Plan, stage: int) -> Iterator[int]:
  """Accumulations that divide a stage's batch over the devices, from what the
  config says to microbatches of one image on each."""
  row, devices = plan.stages[stage], plan.layout.mesh.size
  for parts in range(row.accumulate, row.batch_size // devices + 1):
    if row.batch_size % (parts * devices) == 0:
      yield parts


def fit(plan: Plan, stage: int, memory: int) -> Need | None:
  """A way of running a stage in `memory` bytes on each device, by operations
  the quickest.

  Computing nothing again saves more than larger microbatches, so these are
  halved first.
  """
  if bytes_of(plan.shapes(stage)) > memory:  # no need to compile anything
    return None
  start = REMATS.index(plan.stages[stage].remat)
  for remat in REMATS[start:]:
    found = _largest(change(plan, stage, remat=remat), stage, memory)
    if found is not None:
      return found
  return None


def _largest(plan: Plan, stage: int, memory: int) -> Need | None:
  """The largest microbatch that fits, by bisection; on CPU a program that
  splits its batch may itself be larger."""
  parts = list(divisions(plan, stage))
  ask = functools.cache(lambda i: need(_split(plan, stage, parts[i]), stage))
  low, high = 0, len(parts) - 1
  if ask(low).total <= memory:
    return ask(low)
  if ask(high).total > memory:
    return None
  while low < high:
    middle = (low + high) // 2
    low, high = (
      (low, middle) if ask(middle).total <= memory else (middle + 1, high)
    )
  return ask(high)


def _split(plan: Plan, stage: int, parts: int) -> Plan:
  return change(plan, stage, accumulate=parts)


def largest_resolution(plan: Plan, stage: int, memory: int) -> int | None:
  """The largest of a few smaller resolutions at which a stage does fit: shares
  of its own, and those that the model knows."""
  row, model = plan.stages[stage], plan.task(stage).model
  sides = {int(row.resolution * share) for share in SHARES}
  sides |= set(getattr(model, "resolutions", ()))
  for side in sorted((x for x in sides if x < row.resolution), reverse=True):
    if _fits(change(plan, stage, resolution=side), stage, memory):
      return side
  return None


def largest_width(plan: Plan, stage: int, memory: int) -> str:
  """The field that makes a model wide with the largest of a few smaller values
  with which a stage does fit, as in a config; empty: there is none."""
  name = "width" if "width" in plan.config.model else "base_channels"
  for share in SHARES:
    fields = {name: int(plan.config.model[name] * share)}
    if _fits(of_model(plan, **fields), stage, memory):
      return f"model.{name}={fields[name]}"
  return ""


def _fits(plan: Plan, stage: int, memory: int) -> bool:
  """Whether a stage fits, one image at a time and all computed again; False
  where the model cannot be so."""
  parts = max(divisions(plan, stage))
  least = change(plan, stage, remat="full", accumulate=parts)
  try:
    small = bytes_of(least.shapes(stage)) <= memory
    return small and need(least, stage).total <= memory
  except UserError:
    return False


def gib(memory: int) -> str:
  """How much memory there is, if `memory` bytes of it are for steps."""
  return f"{(memory + reserved()) / 2**30:.2f} GiB"


def refusal(plan: Plan, stage: int, memory: int) -> str:
  """What to say where a stage fits in no way."""
  if memory <= 0:
    alone = f"the process alone takes {gib(0)} on each device"
    return f"stage {stage + 1} does not fit in {gib(memory)}: {alone}."
  if side := largest_resolution(plan, stage, memory):
    hint = f"{side} pixels would fit"
  elif width := largest_width(plan, stage, memory):
    hint = f"nor do smaller sizes, but with {width} it would"
  else:
    hint = "nor do smaller sizes, or an eighth of its width"
  return (
    f"stage {stage + 1} ({plan.stages[stage].resolution} pixels) does not fit "
    f"in {gib(memory)}, not even one image at a time: {hint}."
  )


def memory_for_steps(plan: Plan, given: int = 0) -> int:
  """Bytes that each device has for a step: of those `given`, of those of
  `batch.memory_gib`, or of what is found; on CPU less `OVERHEAD`."""
  given = given or int(plan.batch.memory_gib * 2**30) or memory_found()
  return given - reserved()


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


def measured_speed(plan: Plan) -> Speed:
  """Of each device, as it is now."""
  return measure(plan.task(0).model.dtype, plan.layout.mesh.size)


def describe(plan: Plan, stage: int, speed: Speed) -> dict[str, Any]:
  """What a stage is and needs, as it stands in the config."""
  row, state, found = plan.stages[stage], plan.shapes(stage), need(plan, stage)
  model = plan.task(stage).model
  each = speed.seconds(found.flops / plan.layout.mesh.size, found.traffic)
  patch = getattr(model, "patch_size", 0)
  return {
    "resolution": row.resolution,
    "patches": (row.resolution // patch) ** 2 if patch else None,
    "parameters": sum(x.size for x in jax.tree.leaves(state.params)),
    "batch_size": row.batch_size,
    "accumulate": row.accumulate,
    "remat": row.remat,
    "flops_per_image": found.flops,
    "traffic_per_image": found.traffic,
    "parameter_bytes": bytes_of(state.params),
    "optimizer_bytes": bytes_of(state.opt_state),
    "ema_bytes": bytes_of((state.ema, state.ema_profiles)),
    "activation_bytes": found.activations,
    "peak_bytes": found.peak,
    "process_bytes": _process(plan, found),
    "seconds_per_1000": 1000 * each,
    "hours": row.images * each / 3600,
  }


def _process(plan: Plan, found: Need) -> int | None:
  """What the whole process takes on CPU, whose memory the devices share."""
  if not _on_cpu():
    return None
  return found.peak * plan.layout.mesh.size + found.code + OVERHEAD


def bytes_of(tree: Any) -> int:
  """Of a tree of shapes, on one device."""
  return sum(
    int(np.prod(x.sharding.shard_shape(x.shape))) * x.dtype.itemsize
    for x in jax.tree.leaves(tree)
  )
