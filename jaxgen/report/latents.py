"""The report section on the latents of runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxgen.report import charts, html
from jaxgen.report.cells import Row, name_cell, number_cell
from jaxgen.report.charts import Series
from jaxgen.report.svg import Points

LATENTS = {
  "effective_rank": ("effective rank", ".2f"),
  "channels": ("channels", "d"),
  "path_ratio": ("path over distance", ".3f"),
  "largest_step": ("largest over mean step", ".3f"),
  "noise": ("PSNR under noise of 0.1, dB", ".2f"),
  "kl_sum": ("KL, nats per position", ".3f"),
  "active": ("active units", ".0f"),
}
NOTE = (
  "Effective rank: exp of the entropy of the covariance's eigenvalues. Path "
  "and steps: along decoded straight lines between held-out latents, 1 for a "
  "linear decoder. Noise: 0.1 times the scale of each channel."
)
LEAST = 1e-6  # smallest value that is plotted


def latents_section(
  rows: Mapping[str, Row], numbers: Mapping[str, int]
) -> list[str]:
  """The parts of a page on the latents of autoencoders; empty if there are
  none.

  Args:
    rows: measures of the runs, by name.
    numbers: numbers of the runs, for their colors.
  """
  facts = {run: _facts(row) for run, row in rows.items() if "latents" in row}
  if not facts:
    return []
  latents = {run: rows[run]["latents"] for run in facts}
  return [
    html.heading("Latents"),
    _table(facts, numbers),
    html.paragraph(NOTE, "soft"),
    html.row(_curves(latents, numbers)),
    html.row(_channels(latents, numbers)),
  ]


def _table(
  facts: Mapping[str, dict[str, Any]], numbers: Mapping[str, int]
) -> str:
  known = {name for row in facts.values() for name in row}
  columns = {k: v for k, v in LATENTS.items() if k in known}
  cells = [
    [
      name_cell(run, numbers),
      *(number_cell(row, name, form) for name, (_, form) in columns.items()),
    ]
    for run, row in facts.items()
  ]
  heads = ["run", *(title for title, _ in columns.values())]
  return html.table(heads, cells, sorts=True)


def _facts(row: Row) -> dict[str, Any]:
  """The values of a row of the table."""
  x = row["latents"]
  noise = dict(zip(x["noise_levels"], x["noise_psnr"], strict=True))
  facts = {k: x[k] for k in ("effective_rank", "path_ratio", "largest_step")}
  facts |= {"channels": len(x["mean"]), "noise": noise[0.1]}
  facts |= {"kl_sum": sum(x["kl"])} if "kl" in x else {}
  active = row.get("validation/kl/active_units")
  return facts | ({} if active is None else {"active": active})


def _curves(rows: Row, numbers: Mapping[str, int]) -> list[str]:
  """The spectrum, the response to noise and the KL of the channels."""
  spectra = {run: _shares(x["spectrum"]) for run, x in rows.items()}
  noise = {
    run: list(zip(x["noise_levels"], x["noise_psnr"], strict=True))
    for run, x in rows.items()
  }
  kl = {
    run: _ranked(sorted(x["kl"], reverse=True))
    for run, x in rows.items()
    if "kl" in x
  }
  noise_titles = "noise, in scales of the latents", "PSNR of the change, dB"
  share_titles = "eigenvalue of the covariance", "share of the variance"
  kl_titles = "channel, the largest first", "KL, nats"
  return [
    charts.lines(series, titles, log=log)
    for points, titles, log in (
      (spectra, share_titles, (False, True)),
      (noise, noise_titles, (True, False)),
      (kl, kl_titles, (False, True)),
    )
    if (series := _series(points, numbers))
  ]


def _shares(values: list[float]) -> Points:
  total = sum(values) or 1.0
  return _ranked([value / total for value in values])


def _ranked(values: list[float]) -> Points:
  """Values against 1, 2, ..., without those below `LEAST`."""
  return [(i + 1, value) for i, value in enumerate(values) if value > LEAST]


def _series(
  points: Mapping[str, Points], numbers: Mapping[str, int]
) -> list[Series]:
  return [
    Series(name=run, points=x, number=numbers[run])
    for run, x in points.items()
    if x
  ]


def _channels(rows: Row, numbers: Mapping[str, int]) -> list[str]:
  """Mean and scale of each channel, one small chart per run."""
  figures = []
  for run, x in rows.items():
    values = list(zip(x["mean"], x["scale"], strict=True))
    chart = charts.spans(values, ("channel", "mean \u00b1 scale"), numbers[run])
    figures.append(
      f"<figure>{chart}<figcaption>{html.text(run)}</figcaption></figure>"
    )
  return figures
