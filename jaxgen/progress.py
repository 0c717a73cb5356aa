"""Progress of long loops, reported to a display; silent if there is none.

A loop reports itself where it runs:

    with progress.loop("encoding", len(images)) as advance:
      for part in parts:
        ...
        advance(len(part))

The command line sets a display, see `jaxgen.cli.progress_display`.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

Clock = Callable[[], float]
T = TypeVar("T")


class Advance(Protocol):
  """A function that reports finished items."""

  def __call__(self, num: int = 1) -> None: ...


@dataclasses.dataclass(kw_only=True, eq=False)
class Loop:
  """A loop in progress.

  Attributes:
    label: what the loop does.
    total: number of items; 0: a single operation of unknown length.
    unit: what the items are.
    start: time at which the loop began.
    done: finished items.
    last: time of the last report.
    first: items and time of the first report, which may include compilation.
  """

  label: str
  total: int
  unit: str
  start: float
  done: int = 0
  last: float = 0.0
  first: tuple[int, float] | None = None

  def advance(self, num: int, now: float) -> None:
    """Count finished items; those beyond the total are padding."""
    self.done, self.last = min(self.done + num, self.total), now
    self.first = self.first or (self.done, now)

  def left(self, now: float) -> float | None:
    """The seconds left, without the time of the first report if there is a
    later one; None: not known yet."""
    if self.first is None or not 0 < self.done < self.total:
      return None
    later = self.done > self.first[0]
    before, since = self.first if later else (0, self.start)
    pace = (self.last - since) / (self.done - before)
    return max(0.0, pace * (self.total - self.done) - (now - self.last))


Display = Callable[[tuple[Loop, ...]], None]  # from the outermost loop


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Reporter:
  display: Display
  clock: Clock
  loops: list[Loop] = dataclasses.field(default_factory=list)

  def show(self) -> None:
    self.display(tuple(self.loops))


_reporter: contextvars.ContextVar[_Reporter | None] = contextvars.ContextVar(
  "progress", default=None
)


@contextlib.contextmanager
def displayed(
  display: Display, *, clock: Clock = time.monotonic
) -> Iterator[None]:
  """Report the loops of the block, in this thread, to a display: it is called
  with all running loops whenever one begins, advances or ends."""
  token = _reporter.set(_Reporter(display=display, clock=clock))
  try:
    yield
  finally:
    _reporter.reset(token)
    display(())


@contextlib.contextmanager
def loop(
  label: str, total: int = 0, *, unit: str = "images"
) -> Iterator[Advance]:
  """Report a loop, or an operation of unknown length.

  Args:
    label: what it does.
    total: number of items; 0: unknown.
    unit: what the items are.

  Yields:
    A function that reports finished items.
  """
  reporter = _reporter.get()
  if reporter is None:
    yield lambda num=1: None
    return
  new = Loop(label=label, total=total, unit=unit, start=reporter.clock())

  def advance(num: int = 1) -> None:
    new.advance(num, reporter.clock())
    reporter.show()

  reporter.loops.append(new)
  try:
    reporter.show()
    yield advance
  finally:
    reporter.loops.remove(new)
    reporter.show()


def each(
  label: str, items: Sequence[T], *, unit: str = "images"
) -> Iterator[T]:
  """The items, reported as a loop."""
  with loop(label, len(items), unit=unit) as advance:
    for item in items:
      yield item
      advance()
