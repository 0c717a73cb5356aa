"""The tables of an evaluation of restoration, as texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

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
    "MSE / Wiener's",
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
      f"{row['mse_over_wiener']:.2f}",
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
