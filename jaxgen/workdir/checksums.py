"""Checksums of finished checkpoints.

Orbax writes no checksum of array data, so a flipped byte would load silently
as wrong numbers. After a save is complete, the sizes and CRC-32 of its files go
to one JSON file beside it; before a restore they are compared. A checkpoint
without a manifest (the process died in between) is complete, only not
verified.
"""

from __future__ import annotations

import json
import pathlib
import zlib

from jaxgen.formats.atomic import write_json

CHUNK = 1 << 24


def _crc(path: pathlib.Path) -> int:
  value = 0
  with path.open("rb") as file:
    while chunk := file.read(CHUNK):
      value = zlib.crc32(chunk, value)
  return value


def checksums(folder: pathlib.Path) -> dict[str, list[int]]:
  """`{relative path: [size, crc32]}` of all files below a folder."""
  files = sorted(p for p in folder.rglob("*") if p.is_file())
  return {
    p.relative_to(folder).as_posix(): [p.stat().st_size, _crc(p)] for p in files
  }


def write(folder: pathlib.Path, manifest: pathlib.Path) -> None:
  """Write the manifest of a finished checkpoint, in one atomic step."""
  write_json(manifest, checksums(folder), indent=None)


def damage(folder: pathlib.Path, manifest: pathlib.Path) -> str:
  """The first file that is not as it was written, or an empty string; a
  manifest that cannot be read is none."""
  try:
    expected = json.loads(manifest.read_text())
  except (FileNotFoundError, ValueError):
    return ""
  if not isinstance(expected, dict):
    return ""
  found = checksums(folder)
  for name, value in expected.items():
    if found.get(name) != value:
      return name
  return ""
