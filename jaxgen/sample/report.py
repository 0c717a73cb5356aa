"""A comparison as files: a CSV table, and one HTML page that needs no other."""

from __future__ import annotations

import base64
import csv
import html
import io
import pathlib
from typing import Any

import numpy as np
from PIL import Image

from jaxgen.errors import writing
from jaxgen.sample.quality import Row

# measure -> its column, and how it is written
COLUMNS = {
  "frechet": ("Frechet distance", ".3f"),
  "kid": ("KID", ".5f"),
  "precision": ("precision", ".3f"),
  "recall": ("recall", ".3f"),
  "density": ("density", ".3f"),
  "coverage": ("coverage", ".3f"),
  "diversity": ("diversity", ".3f"),
  "spectrum_db": ("spectrum off, dB", ".2f"),
  "high_frequencies_db": ("high frequencies, dB", "+.2f"),
  "network_calls": ("network calls", ",d"),
  "images_per_second": ("images/s", ".4g"),
  "memory_mib": ("memory, MiB", ".0f"),
  "parameters": ("parameters", ",d"),
  "training_images": ("training images", ",d"),
  "training_seconds": ("training, s", ".0f"),
}

STYLE = """
body { font: 15px/1.5 sans-serif; margin: 2em auto; max-width: 80em; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { padding: 0.3em 0.8em; text-align: right; border-top: 1px solid #ccc; }
td:first-child, th:first-child { text-align: left; }
figure { display: inline-block; margin: 1em 1em 1em 0; vertical-align: top; }
small { color: #666; }
"""


def columns(frechet: str) -> dict[str, str]:
  """What each measure is called; `frechet` is the first one's name."""
  return {k: name for k, (name, _) in COLUMNS.items()} | {"frechet": frechet}


def cell(row: Row, measure: str) -> str:
  """A measure as text, with its interval; empty where it has no meaning."""
  if measure not in row:
    return ""
  form = COLUMNS[measure][1]
  text = format(row[measure], form)
  if f"{measure}_interval" in row:
    low, high = row[f"{measure}_interval"]
    text += f" ({low:{form}} to {high:{form}})"
  return text


def write_csv(path: pathlib.Path, rows: dict[str, Row]) -> None:
  """One line for each way, intervals as two columns."""
  flat = [{"way": name} | _flat(row) for name, row in rows.items()]
  names = list(dict.fromkeys(k for row in flat for k in row))
  with writing(path), path.open("w", newline="") as file:
    writer = csv.DictWriter(file, names)
    writer.writeheader()
    writer.writerows(flat)


def _flat(row: Row) -> Row:
  found: Row = {}
  for k, v in row.items():
    pair = {f"{k}_low": v[0], f"{k}_high": v[1]} if isinstance(v, tuple) else {}
    found |= pair or {k: v}
  return found


def write_html(
  path: pathlib.Path,
  title: str,
  rows: dict[str, Row],
  pictures: dict[str, np.ndarray],
  notes: list[str],
  names: dict[str, str],
) -> None:
  """A table of the measures in `names`, and a picture `(h, w, 3)` for each
  way."""
  head = "".join(f"<th>{html.escape(x)}</th>" for x in names.values())
  body = "".join(
    f"<tr><td>{html.escape(name)}</td>"
    + "".join(f"<td>{html.escape(cell(row, k))}</td>" for k in names)
    + "</tr>\n"
    for name, row in rows.items()
  )
  figures = "".join(
    f"<figure><img src='{_embedded(picture)}' alt=''><figcaption>"
    f"{html.escape(name)}</figcaption></figure>\n"
    for name, picture in pictures.items()
  )
  said = "".join(f"<p><small>{html.escape(x)}</small></p>\n" for x in notes)
  page = (
    "<!doctype html>\n<html lang='en'><meta charset='utf-8'>"
    f"<title>{html.escape(title)}</title><style>{STYLE}</style>\n"
    f"<h1>{html.escape(title)}</h1>\n<table><tr><th></th>{head}</tr>\n{body}"
    f"</table>\n{said}{figures}</html>\n"
  )
  with writing(path):
    path.write_text(page, encoding="utf-8")


def _embedded(picture: Any) -> str:
  """A picture as a data address."""
  buffer = io.BytesIO()
  Image.fromarray(picture).save(buffer, format="PNG")
  return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
