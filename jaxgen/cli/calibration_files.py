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

PLOT = "photon_transfer.png"
BLACK_MAP, NOISE_MAP = "black.npy", "read_noise.npy"


def write(measured: Measured, out: pathlib.Path) -> dict[str, Any]:
  """Write the files; returns the content of noise.json, with its path."""
  maps = _maps(measured)
  with replacing(out, "calibrate") as folder:
    if measured.line:
      caption = _caption(measured.calibration)
      picture = transfer_plot.draw(measured.line, caption)
      write_png(folder / PLOT, picture)
    for name, values in maps.items():
      np.save(folder / name, values.astype(np.float32))
    return write_noise_json(
      folder / NAME,
      measured.calibration,
      notes=list(measured.notes),
      maps=list(maps),
    )


def names(measured: Measured) -> list[str]:
  """The names of the files that `write` writes."""
  return [NAME, *([PLOT] if measured.line else []), *_maps(measured)]


def _maps(measured: Measured) -> dict[str, np.ndarray]:
  """The maps of single pixels by file name: DN, and electrons."""
  dark, gain = measured.dark, measured.calibration.gain
  if dark is None:
    return {}
  maps = {BLACK_MAP: dark.map_of(dark.found.black_map)}
  if dark.found.noise_map is not None and gain:
    maps[NOISE_MAP] = dark.map_of(dark.found.noise_map) / gain
  return maps


def _caption(found: Calibration) -> list[str]:
  lines = [f"gain {found.gain:.4g} +- {found.gain_error:.2g} DN per electron"]
  if found.read_noise_error is not None:
    noise, error = found.read_noise, found.read_noise_error
    lines.append(f"read noise {noise:.4g} +- {error:.2g} electrons")
  if found.chi_squared is not None:
    lines.append(f"chi-squared {found.chi_squared:.2f} by degree of freedom")
  return lines
