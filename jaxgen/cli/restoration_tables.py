"""Terminal tables of an evaluation of restoration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Measures = Mapping[str, Any]
ON_THE_PAGE = ("tiles", "MSE / Wiener's", "calls", "ms")  # not in a terminal
NAMES = {"PSNR (dB)": "PSNR", "chi-squared": "chi2"}


def print_restoration(measures: Measures) -> None:
  """Print the measures of ways, of samples and of the denoiser."""
  from rich.console import Console

  from jaxgen.report import restoration_tables

  print(
    f"{measures['tiles']} held-out tiles of {measures['images']} images; "
    "intervals of 95% by image"
  )
  console = Console()
  for table in restoration_tables.tables(measures):
    console.print(_table(table.title, table.head, table.rows))


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]):
  """A table in 80 columns, of the texts that fit."""
  from rich.table import Table

  table = Table(title=title, title_justify="left", box=None, pad_edge=False)
  columns = [i for i, name in enumerate(head) if name not in ON_THE_PAGE]
  for i in columns:
    right = "right" if i > 1 else "left"
    table.add_column(NAMES.get(head[i], head[i]), justify=right)
  before = None
  for row in rows:
    texts = [_short(head[i], row[i]) for i in columns]
    texts[0] = "" if row[0] == before else texts[0]
    table.add_row(*texts)
    before = row[0]
  return table


def _short(name: str, text: str) -> str:
  if name in ("PSNR (dB)", "way"):
    text = text.partition(" (")[0].removeprefix("Anscombe + ")
  return text.replace(" to ", ",")
