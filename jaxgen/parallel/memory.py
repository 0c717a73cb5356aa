"""What the compiler says of a program's memory."""

from __future__ import annotations

import pathlib
from typing import Any


def program_bytes(compiled: Any) -> int:
  """Bytes that a compiled program needs on each device: its arguments, what it
  keeps meanwhile, and its results; 0 where the compiler does not say."""
  memory = compiled.memory_analysis()
  if memory is None:
    return 0
  return (
    memory.argument_size_in_bytes
    + memory.temp_size_in_bytes
    + memory.output_size_in_bytes
    - memory.alias_size_in_bytes
  )


def group_limit(
  root: pathlib.Path = pathlib.Path("/sys/fs/cgroup"),
  own: pathlib.Path = pathlib.Path("/proc/self/cgroup"),
) -> int | None:
  """Bytes that the control groups (version 2) of this process leave it: the
  least limit from its own up to the root; None where there is none."""
  lines = own.read_text().splitlines() if own.is_file() else []
  inner = next((x[3:] for x in lines if x.startswith("0::")), "/")
  place = root / inner.strip("/")
  found = []
  for folder in (place, *place.parents):
    path = folder / "memory.max"
    text = path.read_text().strip() if path.is_file() else ""
    found += [int(text)] if text.isdecimal() else []
    if folder == root:
      break
  return min(found, default=None)
