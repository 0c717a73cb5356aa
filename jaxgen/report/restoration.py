"""The page of an evaluation of restoration, and its tables as text."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxgen.report import charts, html

Measures = Mapping[str, Any]  # see `evaluation.restoration_summary`


class Table(NamedTuple):
  """A table of texts; the first column groups the rows."""

  title: str
  head: list[str]
  rows: list[list[str]]


def tables(measures: Measures) -> list[Table]:
  """The tables that have rows."""
  every = [
    _ways(measures),
    _classes(measures),
    _samples(measures),
    _calibration(measures, "calibration_by_sigma", "sigma"),
    _calibration(measures, "calibration_by_photons", "photons"),
  ]
  return [table for table in every if table.rows]


def _ways(measures: Measures) -> Table:
  has_lpips = any("lpips" in row for row in measures["restorations"])
  head = [
    "photons",
    "way",
    "tiles",
    "PSNR (dB)",
    f"above {measures['compared_with']} (dB)",
    "SSIM",
    *(["LPIPS"] if has_lpips else []),
    "chi-squared",
    "calls",
    "ms",
  ]
  rows = [
    [
      f"{row['photons']:g}",
      row["way"],
      str(row["tiles"]),
      _text(row["psnr"], ".2f"),
      _text(row.get("gain"), "+.2f"),
      _value(row.get("ssim"), ".3f"),
      *([_value(row.get("lpips"), ".3f")] if has_lpips else []),
      _value(row["chi_squared"], ".3f"),
      str(row["network_calls"]),
      f"{1000 * row['seconds']:.0f}",
    ]
    for row in measures["restorations"]
  ]
  return Table("Restored tiles", head, rows)


def _classes(measures: Measures) -> Table:
  found = [x for x in measures["restorations"] if "psnr_by_class" in x]
  names = list(dict.fromkeys(k for x in found for k in x["psnr_by_class"]))
  rows = [
    [
      f"{row['photons']:g}",
      row["way"],
      *(_text(row["psnr_by_class"].get(name), ".2f") for name in names),
    ]
    for row in found
  ]
  return Table("PSNR by class (dB)", ["photons", "way", *names], rows)


def _samples(measures: Measures) -> Table:
  levels = ("0.5", "0.68", "0.95")
  shares = [f"within {float(x):.0%}" for x in levels]
  head = ["photons", "intervals", "tiles", "samples", *shares]
  head.append("squared error / variance")
  rows = []
  for row in measures["samples"]:
    both = {"as they are": "coverage"}
    factors = ", ".join(f"{x:.2f}" for x in row["factors"])
    both[f"times {factors}, fitted on other images"] = "coverage_with_factor"
    rows += [
      [
        f"{row['photons']:g}",
        name,
        str(row["tiles"]),
        str(row["samples"]),
        *(_text(row[key][x], ".3f") for x in levels),
        _text(row["error_over_variance"], ".2f") if key == "coverage" else "",
      ]
      for name, key in both.items()
    ]
  return Table("Coverage of intervals by samples", head, rows)


def _calibration(measures: Measures, key: str, level: str) -> Table:
  kinds = {"sigma": "even noise", "photons": "counts"}
  head = [level, "noise", "squared error / announced variance", "RMS error"]
  head.append("announced variance <= 0")
  rows = [
    [
      f"{row['level']:g}",
      kinds[level],
      _text(row["ratio"], ".2f"),
      f"{row['error'] ** 0.5:.4f}",
      f"{row['negative']:.0%}",
    ]
    for row in measures[key]
  ]
  return Table(f"Calibration of the denoiser by {level}", head, rows)


def _value(interval: Sequence[float] | None, form: str) -> str:
  return "" if interval is None else format(interval[0], form)


def _text(interval: Sequence[float] | None, form: str) -> str:
  if interval is None:
    return ""
  value, low, high = (format(x, form) for x in interval)
  return f"{value} ({low} to {high})"


def write_restoration_page(
  path: pathlib.Path,
  measures: Measures,
  *,
  pictures: Mapping[str, np.ndarray],
  notes: Sequence[str],
) -> None:
  """Write the page: notes, tables, charts and pictures, by their captions."""
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
  html.write_page(path, "Restoration", parts)


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
