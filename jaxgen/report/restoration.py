"""The page of an evaluation of restoration."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from jaxgen.report import charts, html
from jaxgen.report.restoration_tables import Measures, tables


def write_restoration_page(
  path: pathlib.Path,
  measures: Measures,
  *,
  pictures: Mapping[str, np.ndarray],
  notes: Sequence[str],
  facts: Mapping[str, str],
) -> None:
  """Write the page: facts, notes, tables, charts and pictures, by their
  captions."""
  parts = [html.paragraph(note, "soft") for note in notes]
  parts += [_chart(measures)]
  for table in tables(measures):
    cells = [[html.Cell(text=x) for x in row] for row in table.rows]
    parts += [html.heading(table.title), html.table(table.head, cells)]
  if measures["samples"]:
    parts += [
      html.heading("Ranks of the truth among samples"),
      _ranks(measures),
    ]
  parts += [html.heading("Tiles")] if pictures else []
  parts += [html.figure(x, caption) for caption, x in pictures.items()]
  html.write_page(path, "Restoration", parts, facts=facts)


def _chart(measures: Measures) -> str:
  """PSNR by photons, a line for each way."""
  names = list(dict.fromkeys(x["way"] for x in measures["restorations"]))
  series = [
    charts.Series(
      name=name,
      points=[
        (row["photons"], row["psnr"][0])
        for row in measures["restorations"]
        if row["way"] == name
      ],
      number=i,
    )
    for i, name in enumerate(names)
  ]
  legend = "".join(
    f"{html.chip(charts.color(i))} {html.text(name)} "
    for i, name in enumerate(names)
  )
  chart = charts.lines(series, ("photons", "PSNR (dB)"), log=(True, False))
  return f"{chart}<p>{legend}</p>\n"


def _ranks(measures: Measures) -> str:
  """How often each rank occurs, relative to equal frequencies."""
  series = [
    charts.Series(
      name=f"{row['photons']:g} photons",
      points=[
        (float(i), share * len(row["ranks"]))
        for i, share in enumerate(row["ranks"])
      ],
      number=k,
    )
    for k, row in enumerate(measures["samples"])
  ]
  legend = "".join(
    f"{html.chip(charts.color(x.number))} {html.text(x.name)} " for x in series
  )
  chart = charts.lines(series, ("rank of the truth", "frequency, 1: equal"))
  return f"{chart}<p>{legend}</p>\n"
