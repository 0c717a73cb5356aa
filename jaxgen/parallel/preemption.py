"""Being asked to stop: SIGTERM and Ctrl-C, obeyed between two steps."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

import jax
from jax.experimental import multihost_utils


class Stop:
  """Whether, and why, the run was asked to stop."""

  def __init__(self):
    self.signal: signal.Signals | None = None

  def _handle(self, number: int, frame) -> None:
    again = self.signal is not None
    self.signal = signal.Signals(number)
    if again and self.signal is signal.SIGINT:  # Ctrl-C twice: stop at once
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

  Of several processes SIGTERM is jax.distributed's; SIGINT is made into one.
  """
  stop = Stop()
  numbers = [signal.SIGINT]
  if jax.process_count() == 1:
    numbers.append(signal.SIGTERM)
  before = [signal.signal(n, stop._handle) for n in numbers]
  try:
    yield stop
  finally:
    for number, handler in zip(numbers, before, strict=True):
      signal.signal(number, handler)
