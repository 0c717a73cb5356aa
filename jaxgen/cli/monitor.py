"""Watch runs in the terminal: progress, speed and metrics.

  jaxgen monitor --workdir=runs/rocks
  jaxgen monitor --workdir=runs/rocks --follow --every=2
  jaxgen monitor --workdir=runs/rocks --workdir=runs/rocks_edm --follow

Only reads the folders, so that it can watch a training run, also from another
machine that shares the file system; there, whether a process is alive is known
only if the file system shares locks. --follow updates until all runs are
finished or Ctrl-C; if the output is not a terminal, it prints changes.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxgen.cli import flags
from jaxgen.errors import UserError

if TYPE_CHECKING:
  from rich.console import Console, RenderableType

  from jaxgen.monitor.view import RunView

  Workdir = str | pathlib.Path  # a folder, or an address
  Result = RunView | UserError  # result of reading a folder

COLORS = {
  "running": "green",
  "finishing": "green",
  "silent": "yellow",
  "finished": "cyan",
  "stopped": "red",
}


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  parser.add_argument(
    "--workdir",
    required=True,
    action="append",
    type=flags.run_folder,
    help="folder of a run; repeatable, for a table of several runs",
  )
  parser.add_argument(
    "--follow", action="store_true", help="update until the runs are finished"
  )
  parser.add_argument(
    "--every",
    type=flags.integer(1, 86_400),
    default=5,
    metavar="SECONDS",
    help="interval between updates (default: 5)",
  )


def run(args: argparse.Namespace, rest: list[str]) -> int:
  """Show the runs once, or until they are finished or Ctrl-C."""
  from rich.console import Console

  console = Console(highlight=False)
  if not console.is_terminal:
    console = Console(highlight=False, width=1000)  # do not wrap lines
  try:
    if args.follow and console.is_terminal:
      _follow_live(args.workdir, args.every, console=console)
    elif args.follow:
      _follow_plainly(args.workdir, args.every, console=console)
    else:
      console.print(_render(_read_all(args.workdir), console))
  except KeyboardInterrupt:
    return 0
  return 0


def _read_all(workdirs: Sequence[Workdir]) -> list[Result]:
  """The view of each folder, or the error of reading it.

  Raises:
    UserError: none of the folders can be read.
  """
  results: list[Result] = []
  for workdir in workdirs:
    try:
      results.append(_read(workdir))
    except UserError as e:
      results.append(e)
  if all(isinstance(x, UserError) for x in results):
    raise UserError(" ".join(map(str, results)))
  return results


def _read(workdir: Workdir) -> RunView:
  """The view of a run; one in a store is downloaded as far as it is new."""
  from jaxgen.monitor.view import read_run

  if isinstance(workdir, pathlib.Path):
    return read_run(workdir)
  from jaxgen.stores import mirror

  folder, alive = mirror.watched(workdir)
  return read_run(folder, address=workdir, alive=alive)


def _all_finished(results: list[Result]) -> bool:
  return all(isinstance(x, UserError) or x.state == "finished" for x in results)


def _follow_live(
  workdirs: Sequence[Workdir], every: int, *, console: Console
) -> None:
  from rich.live import Live

  with Live(console=console, auto_refresh=False) as live:
    while True:
      results = _read_all(workdirs)
      live.update(_render(results, console), refresh=True)
      if _all_finished(results):
        return
      time.sleep(every)


def _follow_plainly(
  workdirs: Sequence[Workdir], every: int, *, console: Console
) -> None:
  """Print the runs whenever anything other than their age has changed."""
  last = None
  while True:
    results = _read_all(workdirs)
    current = [_without_age(x) for x in results]
    if current != last:
      if last is not None:
        console.print()
      console.print(_render(results, console))
      console.file.flush()
    if _all_finished(results):
      return
    last = current
    time.sleep(every)


def _without_age(result: Result) -> str:
  """A text that is equal for equal results, including NaN."""
  if isinstance(result, UserError):
    return str(result)
  return repr(dataclasses.replace(result, age=0.0))


def _render(results: list[Result], console: Console) -> RenderableType:
  from jaxgen.monitor import text

  has_blocks = console.encoding.lower().startswith("utf")
  blocks = text.BLOCKS if has_blocks else text.ASCII
  if len(results) == 1 and not isinstance(results[0], UserError):
    return _render_run(results[0], console, blocks=blocks)
  return _render_table(results, console, blocks=blocks)


def _render_run(
  view: RunView, console: Console, *, blocks: str
) -> RenderableType:
  """A run as labeled lines."""
  from rich.text import Text

  from jaxgen.monitor import text

  width = max(8, min(60, console.width - 40))
  rendered = Text(overflow="fold")
  lines = text.labeled_lines(view, width, blocks=blocks)
  longest = max(len(label) for label, _ in lines)
  for label, words in lines:
    style = COLORS[view.state] if label == "state" else ""
    rendered.append(f"{label:{longest}}  ", style="dim")
    rendered.append(f"{_printable(words, console)}\n", style=style)
  rendered.rstrip()
  return rendered


def _render_table(
  results: list[Result], console: Console, *, blocks: str
) -> RenderableType:
  """A table with one row per run, then errors and notes."""
  from rich.console import Group
  from rich.table import Table
  from rich.text import Text

  from jaxgen.monitor import text

  table = Table(*text.HEAD, box=None, padding=(0, 2, 0, 0))
  width = max(4, min(16, (console.width - 90) // 2))
  messages = []
  for view in results:
    if isinstance(view, UserError):
      messages.append(Text(_printable(str(view), console), style="red"))
      continue
    cells = [
      Text(_printable(x, console), overflow="fold")
      for x in text.table_row(view, width, blocks=blocks)
    ]
    cells[1].stylize(COLORS[view.state])
    table.add_row(*cells)
    notes = [f"{view.workdir}: {x}" for x in view.notes]
    messages += [Text(_printable(x, console)) for x in notes]
  return Group(table, *messages)


def _printable(words: str, console: Console) -> str:
  """A text without characters that the output cannot encode."""
  encoded = words.encode(console.encoding, errors="replace")
  return encoded.decode(console.encoding)
