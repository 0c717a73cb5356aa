"""What stands in the tables of a report."""

from __future__ import annotations

from collections.abc import Mapping

from jaxgen.report import charts, html
from jaxgen.sweeps.choice import Row


def name_cell(run: str, numbers: Mapping[str, int]) -> html.Cell:
  """A run's name, with the colour that its number has in all charts."""
  return html.Cell(text=run, value=run, colour=charts.colour(numbers[run]))


def number_cell(row: Row, name: str, form: str) -> html.Cell:
  """A measure, or nothing where it was not taken."""
  if name not in row:
    return html.Cell()
  return html.Cell(text=format(row[name], form), value=row[name])
