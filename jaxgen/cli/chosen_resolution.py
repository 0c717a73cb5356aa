"""What `restore` reports of the resolution that it has chosen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from jaxgen.restoration.binning import FILTER
from jaxgen.sample.resolution_choice import Choice


def facts(choice: Choice | None) -> dict[str, Any]:
  """The entry of report.json, if one was chosen; seconds and bytes are those
  that the table says of an image."""
  if choice is None:
    return {}
  found = choice.recommendation
  entry = {
    "resolution": choice.resolution,
    "summed_pixels": choice.factor,
    "enlarged_by": FILTER if choice.factor > 1 else None,
    "expected_psnr": found.row.psnr,
    "loss_db": found.loss,
    "best_resolution": found.best,
    "expected_seconds": found.row.seconds,
    "expected_bytes": found.row.bytes,
    "noise_variance": None if math.isnan(choice.noise) else choice.noise,
    "detail_lost": {str(k): v for k, v in choice.detail.items()},
  }
  return {"chosen_resolution": entry}


def text(facts: Mapping[str, Any]) -> str:
  """The choice of a file by its entries in report.json; empty if none was
  made."""
  found = facts.get("chosen_resolution")
  if found is None:
    return ""
  num = found["summed_pixels"]
  summed = f", sums of {num} x {num}" if num > 1 else ""
  return (
    f"{found['resolution']} pixels{summed}: {found['expected_psnr']:.2f} dB"
    f" expected, {found['loss_db']:.2f} dB below the best"
    f" ({found['best_resolution']} pixels), {found['expected_seconds']:.3g} s,"
    f" {found['expected_bytes'] / 2**20:.4g} MiB"
  )
