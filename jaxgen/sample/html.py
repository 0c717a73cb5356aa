"""HTML representation of a loaded run, for notebooks."""

from __future__ import annotations

import base64
import html
import pathlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
  from jaxgen.sample.run import LoadedRun

PREVIEWS = "samples"  # the folder of a run's preview pictures
MAX_BYTES = 4 << 20  # maximum size of the picture file
WIDTH = 512  # maximum width of the picture in CSS pixels


def run_html(run: LoadedRun) -> str:
  """A table of facts about a run, and its newest preview picture, if any;
  nothing is computed."""
  rows = "".join(
    "<tr><th style='text-align:left'>"
    f"{html.escape(name)}</th><td style='text-align:left'>"
    f"{html.escape(str(value))}</td></tr>"
    for name, value in _facts(run).items()
  )
  name = html.escape(run.workdir.resolve().name)
  picture = _picture(run.workdir)
  return f"<div><b>{name}</b><table>{rows}</table>{picture}</div>"


def _facts(run: LoadedRun) -> dict[str, object]:
  """Facts about a run, by name."""
  ema = "EMA" if run.sigma_rel is None else f"EMA of sigma_rel {run.sigma_rel}"
  height, width, channels = run.image_shape
  return {
    "workdir": run.workdir,
    "task": run.experiment.task,
    "model": run.experiment.model.name,
    "weights": f"{ema} at step {run.step:,}",
    "stage": f"{run.stage + 1} of {len(run.experiment.stages)}",
    "images": f"{height} x {width}, {channels} channels",
    "parameters": f"{run.num_parameters:,}",
  }


def newest_preview(workdir: pathlib.Path) -> pathlib.Path | None:
  """The preview picture of the latest step; None if there is none."""
  return max((workdir / PREVIEWS).glob("*.png"), default=None)


def _picture(workdir: pathlib.Path) -> str:
  path = newest_preview(workdir)
  try:
    data = b"" if path is None else path.read_bytes()
  except OSError:  # being replaced
    return ""
  if path is None or not data or len(data) > MAX_BYTES:
    return ""
  address = f"data:image/png;base64,{base64.b64encode(data).decode()}"
  return (
    f"<figure><img src='{address}' style='max-width:{WIDTH}px' "
    f"alt='preview'><figcaption>preview {html.escape(path.name)}</figcaption>"
    "</figure>"
  )
