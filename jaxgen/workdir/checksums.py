"""Checksums of finished checkpoints.

Orbax writes no checksum of array data, so a flipped byte would silently load
as wrong numbers. After a save the sizes and CRC-32 of its files are written to
`checksums/STEP.json`; they are compared before a restore. A checkpoint without
that file (the process died in between) is complete but not verified, which is
reported. A file that cannot be read is evidence of damage: it was renamed into
place complete.
"""

from __future__ import annotations

import enum
import json
import pathlib
import zlib
from typing import Any

from jaxgen.formats.atomic import sync_tree, write_json
from jaxgen.workdir import checkpoint_index

FOLDER = "checksums"
CHUNK = 1 << 24
DAMAGED_SCORES = "metrics/damaged"  # left in place of damaged metrics


class Evidence(enum.IntEnum):
  """What the checksums say about a checkpoint whose files do not differ from
  them."""

  VERIFIED = 0
  MISSING = 1
  UNREADABLE = 2


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
  """Synchronize a finished checkpoint to disk, then write its checksums
  atomically."""
  sync_tree(folder)
  write_json(path, compute(folder), indent=None)


def verify(folder: pathlib.Path, path: pathlib.Path) -> Evidence:
  """Compare the files of a checkpoint with its checksums.

  Raises:
    ValueError: a file differs from its checksum, or is known to be damaged.
  """
  if (folder / DAMAGED_SCORES).exists():
    raise ValueError("its held-out metrics are damaged")
  try:
    expected = json.loads(path.read_bytes())
  except FileNotFoundError:
    return Evidence.MISSING
  except (ValueError, OSError, RecursionError):
    return Evidence.UNREADABLE
  if not _is_table(expected):
    return Evidence.UNREADABLE
  current = compute(folder)
  for name, value in expected.items():
    if current.get(name) != value:
      raise ValueError(f"{name} does not match its checksum")
  return Evidence.VERIFIED


def _is_table(value: Any) -> bool:
  """Whether a JSON value is a table as written by `compute`, not empty."""
  return (
    isinstance(value, dict)
    and bool(value)
    and all(
      isinstance(x, list) and list(map(type, x)) == [int, int]
      for x in value.values()
    )
  )


def remove_stale(workdir: pathlib.Path) -> None:
  """Remove the checksums of deleted checkpoints."""
  for path in (workdir / FOLDER).glob("*.json"):
    if not (workdir / checkpoint_index.FOLDER / path.stem).exists():
      path.unlink()
