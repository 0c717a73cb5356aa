"""The files that `calibrate` writes."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np

from jaxgen.cli.calibration_result import Measured
from jaxgen.cli.output_folder import replacing
from jaxgen.formats.png import write_png
from jaxgen.report import transfer_plot
from jaxgen.restoration.calibration import Calibration
from jaxgen.workdir.noise_file import NAME, write_noise_json
from jaxgen.workdir.noise_maps import DEAD, MAPS

PLOT = "photon_transfer.png"


def write(measured: Measured, out: pathlib.Path) -> dict[str, Any]:
  """Write the files; returns the content of noise.json, with its path."""
  maps = _maps(measured)
  with replacing(out, "calibrate") as folder:
    if measured.line:
      caption = _caption(measured.calibration)
      picture = transfer_plot.draw(measured.line, caption)
      write_png(folder / PLOT, picture)
    for name, values in maps.items():
      np.save(folder / name, values)
    return write_noise_json(
      folder / NAME,
      measured.calibration,
      notes=[*measured.notes, *_about_dead(maps.get(DEAD))],
      maps=list(maps),
    )


def _about_dead(dead: np.ndarray | None) -> list[str]:
  if dead is None or not dead.any():
    return []
  where = f"{dead.sum()} pixels ({dead.mean():.2%})"
  return [f"{where} are dead or hot: {DEAD}; restore leaves them to the prior"]


def names(measured: Measured) -> list[str]:
  """The names of the files that `write` writes."""
  return [NAME, *([PLOT] if measured.line else []), *_maps(measured)]


def _maps(measured: Measured) -> dict[str, np.ndarray]:
  """The maps of single pixels by file name: DN, electrons, and where pixels say
  nothing."""
  dark, gain = measured.dark, measured.calibration.gain
  if dark is None:
    return {}
  found = {"black": dark.found.black_map}
  if dark.found.noise_map is not None and gain:
    found["read_noise"] = dark.found.noise_map / gain
  maps = {MAPS[k]: dark.map_of(x).astype(np.float32) for k, x in found.items()}
  return maps | {DEAD: dark.map_of(dark.found.dead)}


def _caption(found: Calibration) -> list[str]:
  lines = [f"gain {found.gain:.4g} +- {found.gain_error:.2g} DN per electron"]
  if found.read_noise_error is not None:
    noise, error = found.read_noise, found.read_noise_error
    lines.append(f"read noise {noise:.4g} +- {error:.2g} electrons")
  if found.chi_squared is not None:
    lines.append(f"chi-squared {found.chi_squared:.2f} by degree of freedom")
  return lines
