"""Self-contained HTML pages: tables that scroll and sort, pictures.

Every function takes plain text and escapes it; what it returns is HTML.
"""

from __future__ import annotations

import base64
import dataclasses
import html
import io
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

from jaxgen.errors import writing
from jaxgen.report.style import SCRIPT, STYLE


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cell:
  """A cell of a table.

  Attributes:
    text: as it is shown.
    value: that it is sorted by; None: unknown, sorted last.
    interval: shown smaller, below.
    color: of a dot before the text, as CSS has it.
  """

  text: str = ""
  value: float | str | None = None
  interval: str = ""
  color: str = ""


def text(value: object) -> str:
  """A value as escaped text."""
  return html.escape(str(value))


def paragraph(content: str, kind: str = "") -> str:
  """A paragraph; `kind` is a class of `STYLE`."""
  return f"<p class='{text(kind)}'>{text(content)}</p>\n"


def heading(content: str) -> str:
  """The heading of a section."""
  return f"<h2>{text(content)}</h2>\n"


def row(parts: Iterable[str]) -> str:
  """Parts side by side."""
  return f"<div class='row'>{''.join(parts)}</div>\n"


def table(
  head: Sequence[str],
  rows: Sequence[Sequence[Cell]],
  *,
  sorts: bool = False,
  descending: Sequence[int] = (),
  marked: int = -1,
) -> str:
  """A table in a box that scrolls where it is too wide.

  Args:
    head: of the columns.
    rows: as many cells each.
    sorts: a click on a column's head sorts by it, the next one backwards.
    descending: columns of which the largest value comes first.
    marked: row that is highlighted.
  """
  heads = "".join(
    _head(x, sorts=sorts, descending=i in descending)
    for i, x in enumerate(head)
  )
  body = "".join(
    f"<tr{' class=marked' if i == marked else ''}>"
    f"{''.join(map(_cell, cells))}</tr>\n"
    for i, cells in enumerate(rows)
  )
  return (
    f"<div class='box'><table><thead><tr>{heads}</tr></thead>\n"
    f"<tbody>{body}</tbody></table></div>\n"
  )


def _head(title: str, *, sorts: bool, descending: bool) -> str:
  if not sorts:
    return f"<th>{text(title)}</th>"
  first = "descending" if descending else "ascending"
  return f"<th data-first='{first}'><button>{text(title)}</button></th>"


def _cell(cell: Cell) -> str:
  value = "" if cell.value is None else text(cell.value)
  dot = chip(cell.color) if cell.color else ""
  below = f"<span class='interval'>{text(cell.interval)}</span>"
  return (
    f"<td data-value='{value}'>{dot}{text(cell.text)}"
    f"{below if cell.interval else ''}</td>"
  )


def chip(color: str) -> str:
  """A dot of a color."""
  return f"<span class='chip' style='background:{text(color)}'></span>"


def figure(picture: np.ndarray, caption: str, *, width: int = 0) -> str:
  """A picture uint8 `(h, w, 3)` with its caption; `width` in CSS pixels, at
  which its own pixels stay sharp."""
  wide = f" class='exact' style='width:{width}px'" if width else ""
  return (
    f"<figure><img src='{embedded(picture)}' alt='{text(caption)}'{wide}>"
    f"<figcaption>{text(caption)}</figcaption></figure>\n"
  )


def embedded(picture: np.ndarray) -> str:
  """A picture as the address of a data URL."""
  buffer = io.BytesIO()
  Image.fromarray(picture).save(buffer, format="PNG")
  return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def write_page(path: pathlib.Path, title: str, parts: Iterable[str]) -> None:
  """Write a page of parts as one file."""
  page = (
    "<!doctype html>\n<html lang='en'><meta charset='utf-8'>"
    "<meta name='viewport' content='width=device-width'>"
    f"<title>{text(title)}</title><link rel='icon' href='data:,'>"
    f"<style>{STYLE}</style>\n<h1>{text(title)}</h1>\n{''.join(parts)}"
    f"<script>{SCRIPT}</script></html>\n"
  )
  with writing(path):
    path.write_text(page, encoding="utf-8", errors="replace")
