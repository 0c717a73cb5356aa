"""The files that `restore` reads and writes."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from jaxgen import progress
from jaxgen.cli import restored_output, restored_report
from jaxgen.cli.given_camera import Given
from jaxgen.cli.output_folder import replacing
from jaxgen.cli.restored_report import PICTURE, PICTURED, File
from jaxgen.data.frames import list_frames, read_frames
from jaxgen.errors import UserError
from jaxgen.formats import problems
from jaxgen.formats.png import write_png
from jaxgen.report import restoration_page
from jaxgen.report.restoration_page import Restored
from jaxgen.sample.denoiser import DenoiserRun

SHOWN = 16  # images on the page


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
  command: str,
) -> list[File]:
  """Restore files one by one and write the results, also if some of them
  cannot be restored.

  Args:
    run: the run.
    paths: the files by name.
    camera: the camera.
    options: further keywords of `run.restore`.
    out: the output folder.
    command: what the report says of how it was made.

  Raises:
    UserError: files that cannot be restored; of several, after the others.
  """
  files, num, failed = [], 0, []
  with replacing(out, "restore") as folder:
    named = list(paths.items())
    for name, path in progress.each("restoring files", named, unit="files"):
      try:
        file = _restore(
          run, path, camera, options=options, folder=folder / name, first=num
        )
      except UserError as e:
        failed.append(str(e).rstrip("."))
        continue
      num += len(file.images)
      files.append(_without_cells(file) if num > SHOWN else file)
    if not files:
      raise UserError(f"{problems.listed(list(dict.fromkeys(failed)), '; ')}.")
    restored_report.write_report(
      folder, files, run, options=options, command=command
    )
  if failed:
    raise UserError(
      f"{len(failed)} of {len(paths)} files were not restored, the others are"
      f" in {out}: {problems.listed(failed, '; ')}."
    )
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
  _check_mosaic(frames.pattern, path, operator=options["operator"])
  known = camera.for_file(path, frames)
  values, keywords = known.seen(frames.values)
  try:
    found = run.restore(values, **keywords, **options, first=first)
  except UserError as e:
    in_file = str(e).startswith("counts")
    raise UserError(f"--input={path}: {e}" if in_file else str(e)) from e
  notes = camera.notes(frames)
  notes += () if found.choice is None else found.choice.warnings
  images = [
    Restored(
      name=path.name
      if len(frames.values) == 1
      else f"{path.name}, exposure {i}",
      check=check,
      notes=notes,
      cells=restoration_page.cells(
        frames.values, found, i, channels=run.shown_channels
      ),
    )
    for i, check in enumerate(found.checks)
  ]
  restored_output.write(folder, path, frames.values, found)
  write_png(folder / PICTURE, restoration_page.picture(images[:PICTURED]))
  facts = {
    "input": str(path),
    "camera": known.facts(),
    **restored_report.facts(found),
  }
  return File(
    images=images, facts=facts, calls=found.calls, seconds=found.seconds
  )


def _check_mosaic(pattern: str, path: pathlib.Path, *, operator: str) -> None:
  """Raise a UserError for the mosaic of another sensor than that of a raw
  file."""
  name, _, order = operator.partition(":")
  if pattern and name == "bayer" and (order or "RGGB") != pattern:
    raise UserError(
      f"--operator={operator}: expected bayer:{pattern}, the mosaic of {path}."
    )


def _without_cells(file: File) -> File:
  """A result whose images are not shown on the page."""
  images = [dataclasses.replace(x, cells={}) for x in file.images]
  return dataclasses.replace(file, images=images)
