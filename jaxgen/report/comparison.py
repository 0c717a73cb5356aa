"""A comparison as files: a CSV table, and one HTML page that needs no other."""

from __future__ import annotations

import csv
import pathlib

import numpy as np

from jaxgen.errors import writing
from jaxgen.evaluation.reference import Row
from jaxgen.report import html

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


def columns(frechet: str) -> dict[str, str]:
  """What each measure is called; `frechet` is the first one's name."""
  return {k: name for k, (name, _) in COLUMNS.items()} | {"frechet": frechet}


def cell(row: Row, measure: str) -> str:
  """A measure as text, with its interval; empty where it has no meaning."""
  interval = _interval(row, measure)
  return _value(row, measure) + (f" ({interval})" if interval else "")


def _value(row: Row, measure: str) -> str:
  return format(row[measure], COLUMNS[measure][1]) if measure in row else ""


def _interval(row: Row, measure: str) -> str:
  if f"{measure}_interval" not in row:
    return ""
  low, high = row[f"{measure}_interval"]
  form = COLUMNS[measure][1]
  return f"{low:{form}} to {high:{form}}"


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
  """A table of the measures in `names`, which a click on a head sorts, and a
  picture `(h, w, 3)` for each way."""
  cells = [
    [html.Cell(text=name, value=name), *(_cell(row, k) for k in names)]
    for name, row in rows.items()
  ]
  parts = [
    html.table(["way", *names.values()], cells, sorts=True),
    *(html.paragraph(x, "soft") for x in notes),
    *(html.figure(picture, name) for name, picture in pictures.items()),
  ]
  html.write(path, title, parts)


def _cell(row: Row, measure: str) -> html.Cell:
  return html.Cell(
    text=_value(row, measure),
    value=row.get(measure),
    interval=_interval(row, measure),
  )
