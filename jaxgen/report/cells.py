"""Cells of report tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxgen.report import charts, html

Row = Mapping[str, Any]  # the measures of a run


def name_cell(run: str, numbers: Mapping[str, int]) -> html.Cell:
  """A run's name, with its color in all charts."""
  return html.Cell(text=run, value=run, color=charts.color(numbers[run]))


def number_cell(row: Row, name: str, form: str) -> html.Cell:
  """A measure; empty if it is missing."""
  if name not in row:
    return html.Cell()
  return html.Cell(text=format(row[name], form), value=row[name])
