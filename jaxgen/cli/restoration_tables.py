"""Terminal tables of an evaluation of restoration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Measures = Mapping[str, Any]


def print_restoration(measures: Measures) -> None:
  """Print the measures of ways, of samples and of the denoiser."""
  from rich.console import Console

  from jaxgen.report import restoration

  print(
    f"{measures['tiles']} held-out tiles of {measures['images']} images; "
    "intervals of 95% by image"
  )
  console = Console()
  for table in restoration.tables(measures):
    console.print(_table(table.title, table.head, table.rows))


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]):
  from rich.table import Table

  table = Table(title=title, title_justify="left")
  for i, name in enumerate(head):
    table.add_column(name, justify="right" if i > 1 else "left")
  before = None
  for row in rows:
    if before is not None and row[0] != before:
      table.add_section()
    table.add_row("" if row[0] == before else row[0], *row[1:])
    before = row[0]
  return table
