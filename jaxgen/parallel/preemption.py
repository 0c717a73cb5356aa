"""Preemption: SIGTERM and Ctrl-C stop a run between steps, or at once while
there is nothing to save."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator

import jax
from jax.experimental import multihost_utils

from jaxgen.errors import Interrupted
from jaxgen.parallel.signals import Handler, handling, waking

ExitStatus = Callable[[signal.Signals], int]
PATIENCE = 1.0  # seconds that the main thread has to end by itself


class Stop:
  """A request to stop the run, and the signal that made it.

  Attributes:
    signal: the signal received, if any.
    at_once: whether a signal ends the run at once, by an exception: there is
      nothing to save while data are opened and programs compiled. Without
      effect if there are several processes, which must agree.
  """

  def __init__(self):
    self.signal: signal.Signals | None = None
    self.at_once = False

  def handle(self, number: int, frame: object) -> None:
    """Record a signal; a second Ctrl-C stops immediately.

    Raises:
      Interrupted: there is nothing to save.
    """
    repeated = self.signal is not None
    self.signal = signal.Signals(number)
    if self.at_once and not _several_processes():
      raise self.interrupted()
    if repeated and self.signal is signal.SIGINT:
      raise KeyboardInterrupt
    if _several_processes():
      os.kill(os.getpid(), signal.SIGTERM)

  def interrupted(self) -> Interrupted:
    """The error that ends the run at once."""
    number = self.signal or signal.SIGTERM
    return Interrupted(
      number,
      f"stopped by {number.name} with nothing to save; the same command "
      "starts again.",
    )

  def requested(self, step: int) -> bool:
    """Whether to stop before `step`; all processes get the same answer.

    Several processes agree through jax.distributed, which watches SIGTERM.
    """
    if _several_processes():
      return multihost_utils.reached_preemption_sync_point(step)
    return self.signal is not None


def _several_processes() -> bool:
  """Whether the run has other processes; does not start the backend if no
  others are connected."""
  return jax.distributed.is_initialized() and jax.process_count() > 1


@contextlib.contextmanager
def watching(exit_status: ExitStatus | None = None) -> Iterator[Stop]:
  """Catch SIGTERM and SIGINT while the block runs.

  With several processes jax.distributed handles SIGTERM, and SIGINT is
  forwarded as SIGTERM.

  Args:
    exit_status: maps a signal to the status with which to end the process if
      its main thread does not end at once, as in a compilation, which no
      exception interrupts. None: wait for it.
  """
  stop = Stop()
  several = _several_processes()
  signals = [signal.SIGINT] if several else [signal.SIGINT, signal.SIGTERM]
  with contextlib.ExitStack() as stack:
    if exit_status is not None and not several:
      ended = threading.Event()
      end = _ending(stop, ended, exit_status)
      stack.enter_context(waking(end, signals))
      stack.callback(ended.set)
    stack.enter_context(handling(stop.handle, signals))
    yield stop


def _ending(
  stop: Stop, ended: threading.Event, exit_status: ExitStatus
) -> Handler:
  """A handler, for another thread, that ends the process if there is nothing
  to save and its main thread does not end."""

  def end(number: int, frame: object) -> None:
    if ended.wait(PATIENCE) or not stop.at_once:
      return
    stop.signal = signal.Signals(number)
    print(f"error: {stop.interrupted()}", file=sys.stderr, flush=True)
    os._exit(exit_status(stop.signal))

  return end
