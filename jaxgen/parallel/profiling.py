"""Profiles of some steps of a program, by JAX's profiler.

A loop calls its program through `call`; within a block of `profiling`, the
requested calls are traced.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import jax

from jaxgen.errors import writing
from jaxgen.parallel.multihost import is_lead_host

FOLDER = "profile"  # in the folder of a run, or of the output of a verb
TRACE = "perfetto_trace.json.gz"

T = TypeVar("T")


@dataclasses.dataclass(kw_only=True)
class _Profiler:
  first: int
  last: int
  folder: pathlib.Path
  unit: str
  calls: int = 0
  active: bool = False

  def start(self) -> None:
    with writing(self.folder):
      self.folder.mkdir(parents=True, exist_ok=True)
    jax.profiler.start_trace(str(self.folder), create_perfetto_trace=True)
    self.active = True

  def stop(self) -> None:
    self.active = False
    jax.profiler.stop_trace()


_profiler: contextvars.ContextVar[_Profiler | None] = contextvars.ContextVar(
  "profiler", default=None
)


@contextlib.contextmanager
def profiling(
  window: tuple[int, int] | None,
  folder: pathlib.Path,
  *,
  unit: str,
  shown: pathlib.Path | None = None,
) -> Iterator[None]:
  """Trace calls within the block, on the lead host, and say how to open the
  trace.

  Args:
    window: the number of the first call to trace, from 1, which may compile,
      and how many to trace; None: none.
    folder: folder of the trace.
    unit: what a call is.
    shown: where the folder will be, if it is moved after the block.
  """
  if window is None:
    yield
    return
  first, steps = window
  last = first + steps - 1
  profiler = _Profiler(first=first, last=last, folder=folder, unit=unit)
  token = _profiler.set(profiler)
  try:
    yield
  finally:
    _profiler.reset(token)
    if profiler.active:
      profiler.stop()
    if is_lead_host():
      print(_summary(profiler, shown or folder), flush=True)


def call(function: Callable[..., T], *arguments: Any) -> T:
  """The result of a function, traced if it is requested."""
  profiler = _profiler.get()
  if profiler is None or not is_lead_host():
    return function(*arguments)
  profiler.calls += 1
  if profiler.calls == profiler.first:
    jax.block_until_ready(arguments)  # of earlier calls
    profiler.start()
  if not profiler.active:
    return function(*arguments)
  with jax.profiler.StepTraceAnnotation(profiler.unit, step_num=profiler.calls):
    result = function(*arguments)
  if profiler.calls == profiler.last:
    jax.block_until_ready(result)
    profiler.stop()
  return result


def _too_late(profiler: _Profiler) -> str:
  """That a window begins after the last call, and one that does not."""
  first, calls, unit = profiler.first, profiler.calls, profiler.unit
  if not calls:
    return f"this command ran no {unit}: none was left"
  ran = f"{unit} 1 alone" if calls == 1 else f"{unit} 1 to {calls}"
  begin = min(2, calls)  # the first may compile
  steps = min(profiler.last - first, calls - begin) + 1
  return (
    f"this command ran {ran}, counted from its start, and FIRST={first} comes"
    f" after them; --profile={begin},{steps} traces some of them"
  )


def _summary(profiler: _Profiler, shown: pathlib.Path) -> str:
  """What was traced, and how to open it."""
  first, calls, unit = profiler.first, profiler.calls, profiler.unit
  if calls < first:
    return f"profile: nothing was traced: {_too_late(profiler)}."
  traces = sorted(profiler.folder.rglob(TRACE), key=lambda x: x.stat().st_mtime)
  if not traces:
    return f"profile: JAX's profiler wrote no trace to {profiler.folder}."
  path = shown / traces[-1].relative_to(profiler.folder)
  last = min(profiler.last, calls)
  numbers = f"{first}" if first == last else f"{first} to {last}"
  return (
    f"{unit} {numbers} traced: open {path} at https://ui.perfetto.dev, or run "
    f"tensorboard --logdir={shown} (pip install tensorboard xprof)."
  )
