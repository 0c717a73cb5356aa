"""Self-contained HTML pages with sortable tables and pictures.

Every function takes plain text, escapes it, and returns HTML.
"""

from __future__ import annotations

import base64
import dataclasses
import html
import io
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from PIL import Image

from jaxgen.formats.atomic import replacing
from jaxgen.report.style import SCRIPT, STYLE


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cell:
  """A cell of a table.

  Attributes:
    text: the displayed text.
    value: the sort key; None: unknown, sorted last.
    interval: small text below.
    color: CSS color of a dot before the text.
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
  """A table in a box that scrolls if it is too wide.

  Args:
    head: headings of the columns.
    rows: cells of each row, one per column.
    sorts: whether a click on a heading sorts by the column, a second click in
      reverse.
    descending: columns sorted with the largest value first.
    marked: index of the highlighted row.
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
  """A colored dot."""
  return f"<span class='chip' style='background:{text(color)}'></span>"


def figure(picture: np.ndarray, caption: str, *, width: int = 0) -> str:
  """A picture uint8 `(h, w, 3)` with a caption; with `width` in CSS pixels it
  is scaled without smoothing."""
  wide = f" class='exact' style='width:{width}px'" if width else ""
  return (
    f"<figure><img src='{embedded(picture)}' alt='{text(caption)}'{wide}>"
    f"<figcaption>{text(caption)}</figcaption></figure>\n"
  )


def embedded(picture: np.ndarray) -> str:
  """A picture as a data URL."""
  buffer = io.BytesIO()
  Image.fromarray(picture).save(buffer, format="PNG")
  return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def write_page(
  path: pathlib.Path,
  title: str,
  parts: Iterable[str],
  *,
  facts: Mapping[str, str],
) -> None:
  """Write a page as a single file; the facts, by their names, are below its
  title."""
  known = "".join(
    f"<dt>{text(name)}</dt><dd>{text(value)}</dd>"
    for name, value in facts.items()
  )
  page = (
    "<!doctype html>\n<html lang='en'><meta charset='utf-8'>"
    "<meta name='viewport' content='width=device-width'>"
    f"<title>{text(title)}</title><link rel='icon' href='data:,'>"
    f"<style>{STYLE}</style>\n<h1>{text(title)}</h1>\n"
    f"<dl>{known}</dl>\n{''.join(parts)}"
    f"<script>{SCRIPT}</script></html>\n"
  )
  with replacing(path) as file:
    file.write(page.encode(errors="replace"))
