"""Preemption: SIGTERM and Ctrl-C stop a run between steps."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

import jax
from jax.experimental import multihost_utils

from jaxgen.parallel.signals import handling


class Stop:
  """A request to stop the run, and the signal that made it."""

  def __init__(self):
    self.signal: signal.Signals | None = None

  def handle(self, number: int, frame: object) -> None:
    """Record a signal; a second Ctrl-C stops immediately."""
    repeated = self.signal is not None
    self.signal = signal.Signals(number)
    if repeated and self.signal is signal.SIGINT:
      raise KeyboardInterrupt
    if jax.process_count() > 1:
      os.kill(os.getpid(), signal.SIGTERM)

  def requested(self, step: int) -> bool:
    """Whether to stop before `step`; all processes get the same answer.

    Several processes agree through jax.distributed, which watches SIGTERM.
    """
    if jax.process_count() > 1:
      return multihost_utils.reached_preemption_sync_point(step)
    return self.signal is not None


@contextlib.contextmanager
def watching() -> Iterator[Stop]:
  """Catch SIGTERM and SIGINT while the block runs.

  With several processes jax.distributed handles SIGTERM, and SIGINT is
  forwarded as SIGTERM.
  """
  stop = Stop()
  signals = [signal.SIGINT]
  if jax.process_count() == 1:
    signals.append(signal.SIGTERM)
  with handling(stop.handle, signals):
    yield stop
