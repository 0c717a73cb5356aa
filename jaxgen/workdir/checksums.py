"""Checksums of finished checkpoints.

Orbax writes no checksum of array data, so a flipped byte would silently load
as wrong numbers. After a save the sizes and CRC-32 of its files are written to
`checksums/STEP.json`; they are compared before a restore. A checkpoint without
that file (the process died in between) is complete but not verified.
"""

from __future__ import annotations

import json
import pathlib
import zlib

from jaxgen.formats.atomic import write_json
from jaxgen.workdir import checkpoint_index

FOLDER = "checksums"
CHUNK = 1 << 24


def path_of(workdir: pathlib.Path, step: int) -> pathlib.Path:
  """The file with the checksums of a checkpoint."""
  return workdir / FOLDER / f"{step}.json"


def _crc(path: pathlib.Path) -> int:
  value = 0
  with path.open("rb") as file:
    while chunk := file.read(CHUNK):
      value = zlib.crc32(chunk, value)
  return value


def compute(folder: pathlib.Path) -> dict[str, list[int]]:
  """`{relative path: [size, crc32]}` of all files below a folder."""
  files = sorted(p for p in folder.rglob("*") if p.is_file())
  return {
    p.relative_to(folder).as_posix(): [p.stat().st_size, _crc(p)] for p in files
  }


def write(folder: pathlib.Path, path: pathlib.Path) -> None:
  """Write the checksums of a finished checkpoint atomically."""
  write_json(path, compute(folder), indent=None)


def first_damaged(folder: pathlib.Path, path: pathlib.Path) -> str:
  """The first file that differs from its checksum; empty if none does or the
  checksums cannot be read."""
  try:
    expected = json.loads(path.read_text())
  except (FileNotFoundError, ValueError):
    return ""
  if not isinstance(expected, dict):
    return ""
  current = compute(folder)
  for name, value in expected.items():
    if current.get(name) != value:
      return name
  return ""


def remove_stale(workdir: pathlib.Path) -> None:
  """Remove the checksums of deleted checkpoints."""
  for path in (workdir / FOLDER).glob("*.json"):
    if not (workdir / checkpoint_index.FOLDER / path.stem).exists():
      path.unlink()
