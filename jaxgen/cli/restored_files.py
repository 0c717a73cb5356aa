"""The files that `restore` reads and writes."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxgen import progress
from jaxgen.cli import chosen_resolution
from jaxgen.cli.output_folder import replacing
from jaxgen.data.frames import list_frames, read_frames
from jaxgen.errors import UserError
from jaxgen.formats import tiff
from jaxgen.formats.atomic import write_json
from jaxgen.formats.png import write_png
from jaxgen.report import restoration_page
from jaxgen.report.restoration_page import Restored
from jaxgen.restoration.camera import GAIN_UNIT, PerPixel
from jaxgen.sample.denoiser import DenoiserRun
from jaxgen.sample.restored import Restoration

SHOWN, PICTURED = 16, 6  # images on the page, and in the picture of a folder
LEVELS = (0.68, 0.95)  # of intervals in the report
PICTURE, PAGE, REPORT = "restored.png", "report.html", "report.json"
NO_BLACK = "the black level is not stated: 0 is taken (--black sets it)"
UNIT = "DN, as the input"


class Given(NamedTuple):
  """What is known of the camera; levels of None are those of each file."""

  gain: PerPixel
  read_noise: PerPixel
  black: PerPixel | None = None
  white: PerPixel | None = None


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


def find(path: pathlib.Path) -> dict[str, pathlib.Path]:
  """The files of `--input` by the names of their folders in the output; that of
  a single file is empty.

  Raises:
    UserError: there are none.
  """
  if not path.exists():
    raise UserError(f"--input={path}: no such file or folder.")
  if not path.is_dir():
    return {"": path}
  paths = list_frames(path)
  if not paths:
    raise UserError(f"--input={path}: expected a folder of images.")
  inner = [x.relative_to(path) for x in paths]
  short = [str(x.with_suffix("")) for x in inner]
  names = short if len({*short}) == len(short) else list(map(str, inner))
  return dict(zip(names, paths, strict=True))


def restore(
  run: DenoiserRun,
  paths: Mapping[str, pathlib.Path],
  camera: Given,
  *,
  options: Mapping[str, Any],
  out: pathlib.Path,
) -> list[File]:
  """Restore files one by one and write the results.

  Args:
    run: the run.
    paths: the files by name.
    camera: the camera.
    options: further keywords of `run.restore`.
    out: the output folder.
  """
  files, num = [], 0
  with replacing(out, "restore") as folder:
    named = list(paths.items())
    for name, path in progress.each("restoring files", named, unit="files"):
      file = _restore(
        run, path, camera, options=options, folder=folder / name, first=num
      )
      num += len(file.images)
      files.append(_without_cells(file) if num > SHOWN else file)
    _write_report(folder, files, run, options)
  return files


def _restore(
  run: DenoiserRun,
  path: pathlib.Path,
  camera: Given,
  *,
  options: Mapping[str, Any],
  folder: pathlib.Path,
  first: int,
) -> File:
  """Restore the exposures of a file and write them to a folder."""
  try:
    frames = read_frames(path)
  except UserError as e:
    raise UserError(f"--input={e}") from e
  values, notes = frames.values, frames.notes
  black = frames.black if camera.black is None else camera.black
  white = frames.white if camera.white is None else camera.white
  if black is None:
    black, notes = 0.0, (*notes, NO_BLACK)
  if white is None and values.dtype.kind in "iu":
    white = float(np.iinfo(values.dtype).max)
  levels = {"black": black, "white": white}
  known = {"gain": camera.gain, "read_noise": camera.read_noise, **levels}
  try:
    found = run.restore(values, **known, **options, first=first)
  except UserError as e:
    in_file = str(e).startswith("counts")
    raise UserError(f"--input={path}: {e}" if in_file else str(e)) from e
  notes += () if found.choice is None else found.choice.warnings
  images = [
    Restored(
      name=path.name if len(values) == 1 else f"{path.name}, exposure {i}",
      check=check,
      notes=notes,
      cells=restoration_page.cells(values, found, i),
    )
    for i, check in enumerate(found.checks)
  ]
  _write(folder, values, found)
  write_png(folder / PICTURE, restoration_page.picture(images[:PICTURED]))
  facts = {"input": str(path), "camera": known, **_facts(found)}
  return File(
    images=images, facts=facts, calls=found.calls, seconds=found.seconds
  )


def _facts(found: Restoration) -> dict[str, Any]:
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


def _without_cells(file: File) -> File:
  """A result whose images are not shown on the page."""
  images = [dataclasses.replace(x, cells={}) for x in file.images]
  return dataclasses.replace(file, images=images)


def _write(
  folder: pathlib.Path, values: np.ndarray, found: Restoration
) -> None:
  """Write the results of a file: its exposures, or samples one after the
  other, as pages of a TIFF."""
  folder.mkdir(parents=True, exist_ok=True)
  arrays = {"mean": found.mean, "std": found.std, "samples": found.samples}
  for name, x in arrays.items():
    if x is None:
      continue
    pages = x.reshape(-1, *x.shape[-3:])
    whole = values.dtype.kind in "iu" and name != "std"
    tiff.write(folder / f"{name}.tif", _as_16_bits(pages) if whole else pages)
    np.save(folder / f"{name}.npy", _squeezed(x))


def _as_16_bits(x: np.ndarray) -> np.ndarray:
  """Values rounded to uint16, or unchanged if it does not hold them."""
  rounded = np.rint(x)
  most = np.iinfo(np.uint16).max
  fits = rounded.min() >= 0 and rounded.max() <= most
  return rounded.astype(np.uint16) if fits else x


def _squeezed(x: np.ndarray) -> np.ndarray:
  """Images `(..., n, h, w, c)` without the axes of a single image and a single
  channel."""
  axes = [axis for axis in (-4, -1) if x.shape[axis] == 1]
  return np.squeeze(x, tuple(axes))


def _write_report(
  folder: pathlib.Path,
  files: Sequence[File],
  run: DenoiserRun,
  options: Mapping[str, Any],
) -> None:
  """Write report.json, the page and the picture of the first images."""
  images = [x for file in files for x in file.images]
  content = {
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
  return {
    "run": f"{content['workdir']}, step {content['step']:,}",
    "camera": f"gain {camera['gain']:.4g} {GAIN_UNIT}, read noise"
    f" {camera['read_noise']:.4g} electrons, "
    + ", ".join(f"{k} {v}" for k, v in levels.items() if v is not None)
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
