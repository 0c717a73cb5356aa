"""The report of `restore`: report.json, the page and the picture."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxgen.cli import chosen_resolution
from jaxgen.formats.atomic import write_json
from jaxgen.formats.png import write_png
from jaxgen.report import restoration_page
from jaxgen.report.origin import now
from jaxgen.report.restoration_page import Restored
from jaxgen.restoration.camera import GAIN_UNIT
from jaxgen.sample.denoiser import DenoiserRun
from jaxgen.sample.restored import Restoration

PICTURED = 6  # images in the picture of a folder
LEVELS = (0.68, 0.95)  # of intervals in the report
PICTURE, PAGE, REPORT = "restored.png", "report.html", "report.json"
UNIT = "DN, as the input"


@dataclasses.dataclass(frozen=True, kw_only=True)
class File:
  """The result of one file.

  Attributes:
    images: its exposures.
    facts: entries of the report.
    calls: network calls.
    seconds: their time.
  """

  images: Sequence[Restored]
  facts: dict[str, Any]
  calls: int
  seconds: float


def facts(found: Restoration) -> dict[str, Any]:
  """What the report says of the restoration of a file."""
  spread = {}
  if found.std is not None:
    spread = {f"{x:.0%}": found.spread(x) for x in LEVELS}
  return {
    "electrons_at_white": found.white.electrons,
    "electrons_at_white_origin": found.white.origin,
    "std_factor": found.std_factor,
    "interval_half_width_in_std": spread,
  } | chosen_resolution.facts(found.choice)


def write_report(
  folder: pathlib.Path,
  files: Sequence[File],
  run: DenoiserRun,
  *,
  options: Mapping[str, Any],
  command: str,
) -> None:
  """Write report.json, the page and the picture of the first images."""
  images = [x for file in files for x in file.images]
  content = {
    "date": now(),
    "command": command,
    "workdir": str(run.workdir),
    "step": run.step,
    "unit": UNIT,
    "gain_unit": GAIN_UNIT,
    "read_noise_unit": "electrons",
    **options,
    "calls": sum(x.calls for x in files),
    "seconds": round(sum(x.seconds for x in files), 2),
    "files": [_entry(x) for x in files],
  }
  write_json(folder / REPORT, content)
  facts = _page_facts(content)
  restoration_page.write_page(folder / PAGE, images, facts=facts)
  picture = restoration_page.picture(images[:PICTURED])
  write_png(folder / PICTURE, picture)


def _entry(file: File) -> dict[str, Any]:
  images = [
    {"name": x.name, **dataclasses.asdict(x.check), "notes": x.notes}
    for x in file.images
  ]
  return {**file.facts, "images": [_finite(x) for x in images]}


def _finite(entry: dict[str, Any]) -> dict[str, Any]:
  """An entry for JSON, which has no NaN."""
  return {
    k: None if isinstance(v, float) and not np.isfinite(v) else v
    for k, v in entry.items()
  }


def _page_facts(content: Mapping[str, Any]) -> dict[str, str]:
  """What holds for all images, as text."""
  first = content["files"][0]
  camera, samples = first["camera"], content["samples"]
  levels = {k: camera[k] for k in ("black", "white")}
  spread = first["interval_half_width_in_std"]
  width = ", ".join(f"{k}: {v:.3g}" for k, v in spread.items())
  factor = content["std_factor"]
  told = "" if factor == 1 else f", after a given factor of {factor:g}"
  chosen = chosen_resolution.text(first)
  maps = ", ".join(camera.get("maps", ()))
  return {
    "date": content["date"],
    "command": content["command"],
    "run": f"{content['workdir']}, step {content['step']:,}",
    "camera": f"gain {camera['gain']:.4g} {GAIN_UNIT}, read noise"
    f" {camera['read_noise']:.4g} electrons, "
    + ", ".join(f"{k} {v}" for k, v in levels.items() if v is not None)
    + (f"; maps of single pixels: {maps}" if maps else "")
    + ("" if len(content["files"]) == 1 else " (of the first file)"),
    "operator": content["operator"],
    "background": f"{content['background']:g} electrons",
    "electrons at white": f"{first['electrons_at_white']:.5g}"
    f" ({first['electrons_at_white_origin']})",
    **({"resolution": chosen} if chosen else {}),
    "result": f"mean of {samples} samples, seed {content['seed']}"
    if samples
    else "mean without sampling",
    "intervals": f"mean +- that many standard deviations{told}: {width}"
    if width
    else "unknown without samples",
    "network calls": f"{content['calls']:,}",
    "seconds": f"{content['seconds']:.1f}, with compilation",
    "unit": content["unit"],
  }
