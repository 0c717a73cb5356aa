"""Display of the progress of a verb, on standard error.

On a terminal it is a live line for each running loop, which vanishes at its
end; elsewhere a plain line at most every 10 seconds. Standard output has only
results.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from jaxgen import progress
from jaxgen.workdir.terminal import describe

SECONDS = 10  # between plain lines
BAR = 16  # width in columns


@contextlib.contextmanager
def displaying() -> Iterator[None]:
  """Display the progress of the block."""
  if sys.stderr is not None and sys.stderr.isatty():
    display = LiveLines(Console(stderr=True, highlight=False, soft_wrap=True))
  else:
    display = PlainLines()
  with progress.displayed(display):
    yield


class PlainLines:
  """A line of the running loops, at most every `SECONDS`."""

  def __init__(self, *, clock: progress.Clock = time.monotonic):
    self._clock, self._last = clock, clock()

  def __call__(self, loops: tuple[progress.Loop, ...]) -> None:
    """Print the loops if it is time."""
    now = self._clock()
    if loops and now - self._last >= SECONDS:
      self._last = now
      text = ": ".join(describe(loop, now) for loop in loops)
      print(text, file=sys.stderr, flush=True)


class LiveLines:
  """A live line for each running loop; lines that are printed meanwhile appear
  above them."""

  def __init__(self, console: Console):
    self._console = console
    self._loops: tuple[progress.Loop, ...] = ()
    self._live: Live | None = None

  def __call__(self, loops: tuple[progress.Loop, ...]) -> None:
    """Show these loops from now on."""
    self._loops = loops
    if loops and self._live is None:
      self._live = Live(
        get_renderable=self._table,
        console=self._console,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
      )
      self._live.start()
    elif not loops and self._live is not None:
      self._live.stop()
      self._live = None

  def _table(self) -> Table:
    """The bars, redrawn several times a second by a thread."""
    now, table = time.monotonic(), Table.grid(padding=(0, 1))
    for loop in self._loops:
      bar = ProgressBar(
        total=loop.total or None,
        completed=loop.done,
        width=BAR,
        pulse=not loop.total,
      )
      table.add_row(bar, describe(loop, now))
    return table
