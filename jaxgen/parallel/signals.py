"""Signal handlers for the duration of a block; imports no JAX."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

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
