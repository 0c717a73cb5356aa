"""Files of a comparison: a CSV table and a self-contained HTML page."""

from __future__ import annotations

import csv
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxgen.errors import writing
from jaxgen.formats.csv_cells import ENCODING, cell
from jaxgen.report import html

Measures = Mapping[str, Any]  # numbers, and intervals `(low, high)`, by name


class Heading(NamedTuple):
  """The title of a measure, and the format of its values."""

  title: str
  form: str


COLUMNS = {
  "frechet": Heading("Frechet distance", ".3f"),
  "kid": Heading("KID", ".5f"),
  "precision": Heading("precision", ".3f"),
  "recall": Heading("recall", ".3f"),
  "density": Heading("density", ".3f"),
  "coverage": Heading("coverage", ".3f"),
  "diversity": Heading("diversity", ".3f"),
  "spectrum_db": Heading("spectrum error, dB", ".2f"),
  "high_frequencies_db": Heading("high frequencies, dB", "+.2f"),
  "reconstruction_frechet": Heading("distance of reconstructions", ".3f"),
  "frechet_over_reconstruction": Heading("distance beyond theirs", ".3f"),
  "frechet_to_reconstructions": Heading("distance to reconstructions", ".3f"),
  "recall_of_reconstructions": Heading("recall of reconstructions", ".3f"),
  "coverage_of_reconstructions": Heading("coverage of reconstructions", ".3f"),
  "mask_iou": Heading("mean IoU with masks", ".3f"),
  "psnr": Heading("PSNR, dB", ".2f"),
  "psnr_change": Heading("PSNR over reconstruction, dB", "+.2f"),
  "color_shift": Heading("color shift, 1/255", ".2f"),
  "network_calls": Heading("network calls", ",d"),
  "images_per_second": Heading("images/s", ".4g"),
  "memory_mib": Heading("memory, MiB", ".0f"),
  "parameters": Heading("parameters", ",d"),
  "training_images": Heading("training images", ",d"),
  "training_seconds": Heading("training, s", ".0f"),
}


def titles(frechet: str, rows: Mapping[str, Measures]) -> dict[str, str]:
  """The titles of the measures that some row has; `frechet` is the title of the
  first."""
  names = {k: x.title for k, x in COLUMNS.items()} | {"frechet": frechet}
  used = {k for row in rows.values() for k in row}
  return {k: x for k, x in names.items() if k in used}


def cell_text(measures: Measures, name: str) -> str:
  """A measure as text, with its interval; empty if it is missing."""
  interval = _interval(measures, name)
  return _value(measures, name) + (f" ({interval})" if interval else "")


def _value(measures: Measures, name: str) -> str:
  if name not in measures:
    return ""
  return format(measures[name], COLUMNS[name].form)


def _interval(measures: Measures, name: str) -> str:
  if f"{name}_interval" not in measures:
    return ""
  low, high = measures[f"{name}_interval"]
  form = COLUMNS[name].form
  return f"{low:{form}} to {high:{form}}"


def write_comparison_csv(
  path: pathlib.Path, rows: Mapping[str, Measures]
) -> None:
  """Write one line per candidate, with intervals as two columns."""
  flat = [{"candidate": cell(name)} | _flat(x) for name, x in rows.items()]
  names = list(dict.fromkeys(k for row in flat for k in row))
  with writing(path), path.open("w", newline="", **ENCODING) as file:
    writer = csv.DictWriter(file, names)
    writer.writeheader()
    writer.writerows(flat)


def _flat(measures: Measures) -> dict[str, Any]:
  row: dict[str, Any] = {}
  for name, value in measures.items():
    if isinstance(value, tuple):
      row[f"{name}_low"], row[f"{name}_high"] = value
    else:
      row[name] = value
  return row


def write_comparison_page(
  path: pathlib.Path,
  rows: Mapping[str, Measures],
  *,
  pictures: Mapping[str, np.ndarray],
  names: Mapping[str, str],
  notes: Sequence[str],
  facts: Mapping[str, str],
  title: str = "Comparison",
) -> None:
  """Write a page with a sortable table and a picture of each candidate.

  Args:
    path: path of the page.
    rows: measures of the candidates, by name.
    pictures: pictures of the candidates, `(h, w, 3)`, by name.
    names: titles of the measures, see `titles`.
    notes: paragraphs below the table.
    facts: what the page was made of, see `origin.origin`.
    title: title of the page.
  """
  cells = [
    [html.Cell(text=name, value=name), *(_cell(x, k) for k in names)]
    for name, x in rows.items()
  ]
  parts = [
    html.table(["candidate", *names.values()], cells, sorts=True),
    *(html.paragraph(note, "soft") for note in notes),
    *(html.figure(picture, name) for name, picture in pictures.items()),
  ]
  html.write_page(path, title, parts, facts=facts)


def _cell(measures: Measures, name: str) -> html.Cell:
  return html.Cell(
    text=_value(measures, name),
    value=measures.get(name),
    interval=_interval(measures, name),
  )
