"""HTML pages that need no other file: tables that scroll and sort, pictures.

Every function takes plain text and escapes it; what it returns is HTML.
"""

from __future__ import annotations

import base64
import dataclasses
import html
import io
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from PIL import Image

from jaxgen.errors import writing

STYLE = """
:root { color-scheme: light; --line: #d9d9d6; --soft: #6b6b67; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1d1d1b; margin: 2em auto;
  max-width: 78em; padding: 0 1.5em; }
h1 { font-size: 1.6em; margin: 0 0 0.2em; }
h2 { font-size: 1.15em; margin: 2.2em 0 0.5em; }
p { margin: 0.3em 0; max-width: 60em; }
.box { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; }
.lead { background: #eef5ee; border: 1px solid #bcd6bc; border-radius: 6px;
  padding: 0.7em 1em; margin: 1em 0; max-width: none; }
.wrong { background: #fdf0ee; border-color: #e5bdb5; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums;
  width: 100%; font-size: 0.93em; }
td, th { padding: 0.35em 0.7em; text-align: right; white-space: nowrap; }
th { vertical-align: bottom; font-weight: 600; background: #f6f6f4;
  white-space: normal; min-width: 4.5em; }
td { border-top: 1px solid var(--line); }
td:first-child, th:first-child { text-align: left; position: sticky; left: 0;
  background: #fff; }
th:first-child { background: #f6f6f4; }
td.text { text-align: left; white-space: normal; }
tr.marked td { background: #eef5ee; }
th button { all: unset; cursor: pointer; }
th button:hover { text-decoration: underline; }
th button:focus-visible { outline: 2px solid #2166ac; }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
.interval { display: block; font-size: 0.75em; color: var(--soft); }
.row { display: flex; flex-wrap: wrap; gap: 0.6em 1.5em; }
.row figure { margin: 0; }
.strips { display: flex; gap: 12px; margin: 0.2em 0 0.7em; }
figure { display: inline-block; margin: 0.5em 1em 0.5em 0; vertical-align: top;
  max-width: 100%; }
figure img { max-width: 100%; }
figcaption { font-size: 0.9em; }
small, .soft { color: var(--soft); font-size: 0.87em; }
.chip { display: inline-block; width: 0.75em; height: 0.75em; margin-right:
  0.45em; border-radius: 50%; }
img.exact { image-rendering: pixelated; }
"""

SCRIPT = """
for (const button of document.querySelectorAll("th button"))
  button.onclick = () => {
    const head = button.parentNode, body = head.closest("table").tBodies[0];
    const down = head.ariaSort ? head.ariaSort == "ascending"
      : head.dataset.first == "descending";
    for (const other of head.parentNode.cells) other.ariaSort = null;
    head.ariaSort = down ? "descending" : "ascending";
    const key = row => row.cells[head.cellIndex].dataset.value;
    const order = (a, b) => isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
    const known = [...body.rows].filter(row => key(row) !== "");
    const rest = [...body.rows].filter(row => key(row) === "");
    known.sort((a, b) => (down ? -1 : 1) * order(key(a), key(b)));
    body.append(...known, ...rest);
  };
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cell:
  """What stands in a table.

  Attributes:
    text: as it is shown.
    value: that it is sorted by; None: nothing is known, the last.
    interval: shown smaller, below.
    colour: of a dot before the text, as CSS has it.
  """

  text: str = ""
  value: float | str | None = None
  interval: str = ""
  colour: str = ""


def text(value: Any) -> str:
  """Plain text, escaped."""
  return html.escape(str(value))


def paragraph(said: str, kind: str = "") -> str:
  """A paragraph; `kind` is a class of `STYLE`."""
  return f"<p class='{text(kind)}'>{text(said)}</p>\n"


def heading(said: str) -> str:
  """A heading of a part of the page."""
  return f"<h2>{text(said)}</h2>\n"


def row(parts: Iterable[str]) -> str:
  """Parts beside each other."""
  return f"<div class='row'>{''.join(parts)}</div>\n"


def table(
  head: Sequence[str],
  rows: Sequence[Sequence[Cell]],
  *,
  sorts: bool = False,
  falls: Sequence[int] = (),
  marked: int = -1,
) -> str:
  """A table in a box that scrolls where it is too wide.

  Args:
    head: of the columns.
    rows: as many cells each.
    sorts: a click on a column's head sorts by it, the next one backwards.
    falls: columns of which the largest come first.
    marked: row that is set off.
  """
  heads = "".join(_head(i, x, sorts, i in falls) for i, x in enumerate(head))
  body = "".join(
    f"<tr{' class=marked' if i == marked else ''}>"
    f"{''.join(map(_cell, cells))}</tr>\n"
    for i, cells in enumerate(rows)
  )
  return (
    f"<div class='box'><table><thead><tr>{heads}</tr></thead>\n"
    f"<tbody>{body}</tbody></table></div>\n"
  )


def _head(index: int, title: str, sorts: bool, falls: bool) -> str:
  if not sorts:
    return f"<th>{text(title)}</th>"
  first = "descending" if falls else "ascending"
  return f"<th data-first='{first}'><button>{text(title)}</button></th>"


def _cell(cell: Cell) -> str:
  value = "" if cell.value is None else text(cell.value)
  dot = chip(cell.colour) if cell.colour else ""
  below = f"<span class='interval'>{text(cell.interval)}</span>"
  return (
    f"<td data-value='{value}'>{dot}{text(cell.text)}"
    f"{below if cell.interval else ''}</td>"
  )


def chip(colour: str) -> str:
  """A dot of a colour."""
  return f"<span class='chip' style='background:{text(colour)}'></span>"


def figure(picture: Any, caption: str, *, width: int = 0) -> str:
  """A picture uint8 `(h, w, 3)` with what it shows below; `width` in CSS
  pixels, at which its own pixels stay sharp."""
  wide = f" class='exact' style='width:{width}px'" if width else ""
  return (
    f"<figure><img src='{embedded(picture)}' alt='{text(caption)}'{wide}>"
    f"<figcaption>{text(caption)}</figcaption></figure>\n"
  )


def embedded(picture: Any) -> str:
  """A picture as a data address."""
  buffer = io.BytesIO()
  Image.fromarray(picture).save(buffer, format="PNG")
  return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def write(path: pathlib.Path, title: str, parts: Iterable[str]) -> None:
  """A page of parts, in one file."""
  page = (
    "<!doctype html>\n<html lang='en'><meta charset='utf-8'>"
    "<meta name='viewport' content='width=device-width'>"
    f"<title>{text(title)}</title><link rel='icon' href='data:,'>"
    f"<style>{STYLE}</style>\n<h1>{text(title)}</h1>\n{''.join(parts)}"
    f"<script>{SCRIPT}</script></html>\n"
  )
  with writing(path):
    path.write_text(page, encoding="utf-8", errors="replace")
