"""Output folders that are replaced when all results are complete.

Results are written to a temporary folder beside the output folder, then moved
into place. The pictures that the same verb has written there before are
removed, so that old and new ones never mix; other files stay. Pictures carry
the name of their verb.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterator, Set

from jaxgen.errors import writing
from jaxgen.formats import atomic

UNNAMED = (  # files beside pictures that carry no name
  "denoising.gif",
  *(f"{x}.{y}" for x in ("mean", "std", "samples") for y in ("tif", "npy")),
)


@contextlib.contextmanager
def replacing(out: pathlib.Path, verb: str) -> Iterator[pathlib.Path]:
  """A temporary folder whose contents are moved to an output folder if the
  block succeeds; else the output folder stays as it is.

  Raises:
    RunError: a folder cannot be written.
  """
  out, software = out.resolve(), f"jaxgen {verb}"
  prefix = f"{out.name[:100]}-"
  parent = out.parent if os.access(out.parent, os.W_OK) else out
  atomic.remove_parts(parent, f".{prefix}")
  part = parent / atomic.part_name(prefix)
  with writing(out):
    part.mkdir(parents=True)
  try:
    with _locked(part):
      yield part
      with writing(out):
        _name_pictures(part, software)
        atomic.sync_tree(part)
        _move(part, out, software)
        atomic.sync(out)
  finally:
    shutil.rmtree(part, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: pathlib.Path) -> Iterator[None]:
  file = os.open(folder, os.O_RDONLY)
  try:
    with atomic.locked(file):
      yield
  finally:
    os.close(file)


def _name_pictures(folder: pathlib.Path, software: str) -> None:
  from jaxgen.formats.png import add_software

  for path in folder.rglob("*.png"):
    add_software(path, software)


def _move(part: pathlib.Path, out: pathlib.Path, software: str) -> None:
  """Move new results into place; at once if the folder has no other files."""
  new, present = _files(part), _files(out) if out.exists() else set()
  old = _written_by(out, present, software) - new
  if present <= new | old and out not in (part.parent, pathlib.Path.cwd()):
    _replace(part, out)
    return
  for name in old:
    (out / name).unlink()
  for name in sorted(new):
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (part / name).replace(out / name)


def _replace(part: pathlib.Path, out: pathlib.Path) -> None:
  """Replace a folder by another."""
  old = part.with_name(atomic.part_name(f"{out.name[:100]}-"))
  if out.exists():
    shutil.copymode(out, part)
    out.rename(old)
  part.rename(out)
  atomic.sync(out.parent)
  shutil.rmtree(old, ignore_errors=True)


def _files(folder: pathlib.Path) -> set[pathlib.Path]:
  """The files below a folder, relative to it, without parts."""
  paths = (x.relative_to(folder) for x in folder.rglob("*") if not x.is_dir())
  return {x for x in paths if not x.parts[0].endswith(atomic.SUFFIX)}


def _written_by(
  out: pathlib.Path, names: Set[pathlib.Path], software: str
) -> set[pathlib.Path]:
  """The files that a verb has written."""
  from jaxgen.formats.png import read_software

  pictures = {x for x in names if x.suffix == ".png"}
  old = {x for x in pictures if read_software(out / x) == software}
  beside = {x.with_suffix(".tif") for x in old}
  folders = {x.parent for x in old}
  unnamed = {x for x in names if x.parent in folders and x.name in UNNAMED}
  return old | names & beside | unnamed
