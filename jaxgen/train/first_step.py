"""The first step of a stage: its compilation, and whether it fits into memory.

A process that ran out of memory inside a step would leave the others waiting
for it. So several processes compile the step and allocate its memory for a
moment before any of them runs it, and agree on whether it fits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import jax

from jaxgen.errors import RunError
from jaxgen.parallel import memory, profiling
from jaxgen.parallel.allocator import release_free_memory
from jaxgen.parallel.multihost import allgather
from jaxgen.train.run import Run
from jaxgen.train.schedule import Schedule
from jaxgen.train.state import TrainState
from jaxgen.typing import Batch, Metrics

Arguments = tuple[TrainState, Batch, Schedule]


class OutOfMemory(Exception):
  """An error: the first step of a stage ran out of memory.

  Attributes:
    stage: index of the stage.
  """

  def __init__(self, stage: int):
    super().__init__(f"stage {stage + 1} does not fit into memory")
    self.stage = stage


def first_step(run: Run, arguments: Arguments) -> tuple[TrainState, Metrics]:
  """The first update of a stage; waits for its end.

  Raises:
    OutOfMemory: the stage does not fit into memory, on any process.
    RunError: it did not although its memory could be allocated before.
  """
  images = int(arguments[0].images) + run.program.stage.batch_size
  with _compiling(run):
    several = jax.process_count() > 1
    if several and not all(allgather(_fits(run, arguments))):
      raise OutOfMemory(run.stage)
    result = _run(run, arguments, agreed=several)
    release_free_memory()
  run.terminal.restart(images)
  return result


def _fits(run: Run, arguments: Arguments) -> bool:
  """Whether the memory of the update can be allocated on this process."""
  try:
    memory.reserve(run.program.update.lower(*arguments).compile())
  except jax.errors.JaxRuntimeError as e:
    if not memory.is_exhausted(e):
      raise
    return False
  return True


def _run(
  run: Run, arguments: Arguments, *, agreed: bool
) -> tuple[TrainState, Metrics]:
  try:
    result = profiling.call(run.program.update, *arguments)
    return jax.block_until_ready(result)
  except jax.errors.JaxRuntimeError as e:
    if not memory.is_exhausted(e):
      raise
    if not agreed:
      raise OutOfMemory(run.stage) from e
    raise RunError(
      f"stage {run.stage + 1}: out of memory in its first step, though its"
      " memory could be allocated before: increase stages.accumulate"
    ) from e


@contextlib.contextmanager
def _compiling(run: Run) -> Iterator[None]:
  """Announce the compilation in the first step of a stage, if there is one."""
  program = run.program
  if run.compiled == program.shapes:
    yield
    return
  side = program.stage.resolution
  with run.terminal.compiling(f"the training step at {side} pixels"):
    yield
  run.compiled = program.shapes
