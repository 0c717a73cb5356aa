"""Watch runs in the terminal: how far, how fast, how good, and whether alive.

  jaxgen monitor --workdir=runs/rocks
  jaxgen monitor --workdir=runs/rocks --follow --every=2
  jaxgen monitor --workdirs=runs/rocks,runs/rocks_edm --follow

Only reads the folders, so it can look at a run that trains, also from another
machine that shares the file system; whether a process is alive is seen there
only if the file system shares its locks. --follow looks again until all runs
are finished or Ctrl-C; where the output is no terminal it prints what changed.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import time
from typing import TYPE_CHECKING

from jaxgen.cli import common
from jaxgen.errors import UserError

if TYPE_CHECKING:
  from rich.console import Console, RenderableType

  from jaxgen.monitor.view import RunView

  Seen = RunView | UserError  # what came of looking at one folder

COLOURS = {
  "running": "green",
  "finishing": "green",
  "silent": "yellow",
  "finished": "cyan",
  "stopped": "red",
}


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Flags of this verb."""
  group = parser.add_mutually_exclusive_group(required=True)
  group.add_argument("--workdir", type=pathlib.Path, help="the run's folder")
  group.add_argument(
    "--workdirs", metavar="A,B,...", help="folders of runs, one row each"
  )
  parser.add_argument(
    "--follow", action="store_true", help="look again and again"
  )
  parser.add_argument(
    "--every",
    type=common.whole(1, 86_400),
    default=5,
    metavar="SECONDS",
    help="between two looks (default: 5)",
  )


def run(args: argparse.Namespace, rest: list[str]) -> int:
  """Look once, or until the runs are finished or Ctrl-C."""
  from rich.console import Console

  paths = _paths(args)
  console = Console(highlight=False)
  if not console.is_terminal:
    console = Console(highlight=False, width=1000)  # lines stay whole
  try:
    if args.follow and console.is_terminal:
      _follow_live(paths, args.every, console)
    elif args.follow:
      _follow_plainly(paths, args.every, console)
    else:
      console.print(_drawn(_look(paths), console))
  except KeyboardInterrupt:
    return 0
  return 0


def _paths(args: argparse.Namespace) -> list[pathlib.Path]:
  if args.workdir is not None:
    return [args.workdir]
  names = args.workdirs.split(",")
  if not all(names):
    raise UserError(f"--workdirs={args.workdirs}: a name is empty.")
  return [pathlib.Path(name) for name in names]


def _look(paths: list[pathlib.Path]) -> list[Seen]:
  """Every folder's view, or what is wrong with it.

  Raises:
    UserError: something is wrong with all of them.
  """
  from jaxgen.monitor.view import read_run

  seen: list[Seen] = []
  for path in paths:
    try:
      seen.append(read_run(path))
    except UserError as e:
      seen.append(e)
  if all(isinstance(x, UserError) for x in seen):
    raise UserError(" ".join(map(str, seen)))
  return seen


def _over(seen: list[Seen]) -> bool:
  return all(isinstance(x, UserError) or x.state == "finished" for x in seen)


def _follow_live(
  paths: list[pathlib.Path], every: int, console: Console
) -> None:
  from rich.live import Live

  with Live(console=console, auto_refresh=False) as live:
    while True:
      seen = _look(paths)
      live.update(_drawn(seen, console), refresh=True)
      if _over(seen):
        return
      time.sleep(every)


def _follow_plainly(
  paths: list[pathlib.Path], every: int, console: Console
) -> None:
  """Print when anything but the time has changed."""
  before = None
  while True:
    seen = _look(paths)
    now = [_ageless(x) for x in seen]
    if now != before:
      if before is not None:
        console.print()
      console.print(_drawn(seen, console))
      console.file.flush()
    if _over(seen):
      return
    before = now
    time.sleep(every)


def _ageless(seen: Seen) -> object:
  if isinstance(seen, UserError):
    return str(seen)
  return repr(dataclasses.replace(seen, age=0.0))  # a NaN equals itself there


def _drawn(seen: list[Seen], console: Console) -> RenderableType:
  from jaxgen.monitor import text

  fits = console.encoding.lower().startswith("utf")
  blocks = text.BLOCKS if fits else text.ASCII
  if len(seen) == 1 and not isinstance(seen[0], UserError):
    return _one(seen[0], console, blocks)
  return _table(seen, console, blocks)


def _one(view: RunView, console: Console, blocks: str) -> RenderableType:
  """One line for each thing there is to say."""
  from rich.text import Text

  from jaxgen.monitor import text

  width = max(8, min(60, console.width - 40))
  drawn = Text(overflow="fold")
  for label, words in text.lines(view, width, blocks):
    style = COLOURS[view.state] if label == "state" else ""
    drawn.append(f"{label:13} ", style="dim")
    drawn.append(f"{_printable(words, console)}\n", style=style)
  drawn.rstrip()
  return drawn


def _table(seen: list[Seen], console: Console, blocks: str) -> RenderableType:
  """One row for each run; what is wrong with the others below it."""
  from rich.console import Group
  from rich.table import Table
  from rich.text import Text

  from jaxgen.monitor import text

  table = Table(*text.HEAD, box=None, padding=(0, 2, 0, 0))
  width = max(4, min(16, (console.width - 90) // 2))
  wrong = []
  for view in seen:
    if isinstance(view, UserError):
      wrong.append(Text(_printable(str(view), console), style="red"))
      continue
    cells = text.cells(view, width, blocks)
    row = [Text(_printable(x, console), overflow="fold") for x in cells]
    row[1].stylize(COLOURS[view.state])
    table.add_row(*row)
    notes = [f"{view.workdir}: {x}" for x in view.notes]
    wrong += [Text(_printable(x, console)) for x in notes]
  return Group(table, *wrong)


def _printable(words: str, console: Console) -> str:
  """Without what the output's encoding cannot say."""
  coded = words.encode(console.encoding, errors="replace")
  return coded.decode(console.encoding)
