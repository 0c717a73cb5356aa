"""The part of a report that tells what the latents of its runs are like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxgen.report import charts, html
from jaxgen.report.cells import name_cell, number_cell
from jaxgen.report.charts import Series
from jaxgen.sweeps.choice import Row

LATENTS = {
  "effective_rank": ("effective rank", ".2f"),
  "of": ("of channels", "d"),
  "way": ("way over distance", ".3f"),
  "largest_step": ("largest over mean step", ".3f"),
  "noise": ("PSNR under noise of 0.1, dB", ".2f"),
  "kl_sum": ("KL, nats a place", ".3f"),
  "active": ("active units", ".0f"),
}


def latents(rows: Mapping[str, Row], numbers: Mapping[str, int]) -> list[str]:
  """What the latents of each autoencoder are like."""
  facts = {k: _facts(r) for k, r in rows.items() if "latents" in r}
  if not facts:
    return []
  shown = {
    k: v for k, v in LATENTS.items() if any(k in x for x in facts.values())
  }
  heads = ["run", *(title for title, _ in shown.values())]
  cells = [
    [
      name_cell(run, numbers),
      *(number_cell(x, k, f) for k, (_, f) in shown.items()),
    ]
    for run, x in facts.items()
  ]
  return [
    html.heading("Latents"),
    html.table(heads, cells, sorts=True),
    html.paragraph(
      "Effective rank: exp of the entropy of the covariance's eigenvalues. Way "
      "and steps: along decoded straight lines between held-out latents, 1 for "
      "a linear decoder. Noise: that of each channel's scale times 0.1.",
      "soft",
    ),
    html.row(_latent_plots({k: rows[k]["latents"] for k in facts}, numbers)),
    html.row(_channels({k: rows[k]["latents"] for k in facts}, numbers)),
  ]


def _facts(row: Row) -> dict[str, Any]:
  """The numbers of a row of the table of latents."""
  x = row["latents"]
  noise = dict(zip(x["noise_levels"], x["noise_psnr"], strict=True))
  found = {k: x[k] for k in ("effective_rank", "way", "largest_step")}
  found |= {"of": len(x["mean"]), "noise": noise[0.1]}
  found |= {"kl_sum": sum(x["kl"])} if "kl" in x else {}
  active = row.get("validation/kl/active_units")
  return found | ({} if active is None else {"active": active})


def _latent_plots(
  rows: Mapping[str, Any], numbers: Mapping[str, int]
) -> list[str]:
  every: dict[str, Any] = {"spectrum": {}, "noise": {}, "kl": {}}
  for run, x in rows.items():
    total = sum(x["spectrum"]) or 1.0
    every["spectrum"][run] = _indexed([v / total for v in x["spectrum"]], 1e-6)
    pairs = zip(x["noise_levels"], x["noise_psnr"], strict=True)
    every["noise"][run] = list(pairs)
    if "kl" in x:
      every["kl"][run] = _indexed(sorted(x["kl"], reverse=True), 1e-6)
  titles = {
    "spectrum": ("eigenvalue of the covariance", "share of the variance"),
    "noise": ("noise, in scales of the latents", "PSNR of the change, dB"),
    "kl": ("channel, the largest first", "KL, nats"),
  }
  logs = {
    "spectrum": (False, True),
    "noise": (True, False),
    "kl": (False, True),
  }
  return [
    charts.lines(_series(found, numbers), titles[k], log=logs[k])
    for k, found in every.items()
    if any(found.values())
  ]


def _indexed(values: list[float], least: float) -> list[tuple[float, float]]:
  """Values against 1, 2, ...; what is next to nothing is left out."""
  return [(i + 1, v) for i, v in enumerate(values) if v > least]


def _series(
  found: Mapping[str, Any], numbers: Mapping[str, int]
) -> list[Series]:
  return [
    Series(name=run, points=points, number=numbers[run])
    for run, points in found.items()
    if points
  ]


def _channels(rows: Mapping[str, Any], numbers: Mapping[str, int]) -> list[str]:
  """Mean and scale of each channel, one small chart for each run."""
  found = []
  for run, x in rows.items():
    values = list(zip(x["mean"], x["scale"], strict=True))
    chart = charts.spans(values, ("channel", "mean \u00b1 scale"), numbers[run])
    found.append(
      f"<figure>{chart}<figcaption>{html.text(run)}</figcaption></figure>"
    )
  return found
