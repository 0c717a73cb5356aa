"""What stands in the tables of a report."""

from __future__ import annotations

from collections.abc import Mapping

from jaxgen import drawing, pages
from jaxgen.sweeps.choice import Row


def name_cell(run: str, numbers: Mapping[str, int]) -> pages.Cell:
  """A run's name, with the colour that its number has in all charts."""
  return pages.Cell(text=run, value=run, colour=drawing.colour(numbers[run]))


def number_cell(row: Row, name: str, form: str) -> pages.Cell:
  """A measure, or nothing where it was not taken."""
  if name not in row:
    return pages.Cell()
  return pages.Cell(text=format(row[name], form), value=row[name])
