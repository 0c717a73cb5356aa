"""Signal handlers for the duration of a block; imports no JAX."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import NoReturn

Handler = Callable[[int, FrameType | None], None]


@contextlib.contextmanager
def handling(
  handler: Handler, signals: Sequence[signal.Signals]
) -> Iterator[None]:
  """Handle signals while the block runs, then restore the old handlers."""
  old = [signal.signal(x, handler) for x in signals]
  try:
    yield
  finally:
    for number, previous in zip(signals, old, strict=True):
      signal.signal(number, previous)


@contextlib.contextmanager
def waking(
  handler: Handler, signals: Sequence[signal.Signals]
) -> Iterator[None]:
  """Call a handler in another thread too while the block runs, as soon as a
  signal arrives: handlers proper have to wait while the main thread is not in
  Python. The signals must have handlers proper."""
  reading, writing = os.pipe()
  os.set_blocking(writing, False)

  def watch() -> None:
    while number := os.read(reading, 1):
      if number[0] in signals:
        handler(number[0], None)

  thread = threading.Thread(target=watch, daemon=True, name="signals")
  thread.start()
  old = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
  try:
    yield
  finally:
    signal.set_wakeup_fd(old)
    os.close(writing)
    thread.join()
    os.close(reading)


def exit_now(status: int) -> NoReturn:
  """End the process without the teardown of its libraries and threads, which
  may take seconds."""
  sys.stdout.flush()
  sys.stderr.flush()
  os._exit(status)
