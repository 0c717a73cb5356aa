"""Memory use of compiled programs, and memory limits of a process."""

from __future__ import annotations

import pathlib
from typing import Any


def program_bytes(compiled: Any) -> int:
  """Memory of a compiled program on each device, in bytes: arguments,
  temporaries and results; 0 if the compiler does not report them."""
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
  """The memory limit of this process by its control groups (v2), in bytes: the
  smallest from its own group up to the root; None: no limit."""
  lines = own.read_text().splitlines() if own.is_file() else []
  name = next((x[3:] for x in lines if x.startswith("0::")), "/")
  group = root / name.strip("/")
  limits = []
  for folder in (group, *group.parents):
    path = folder / "memory.max"
    text = path.read_text().strip() if path.is_file() else ""
    limits += [int(text)] if text.isdecimal() else []
    if folder == root:
      break
  return min(limits, default=None)
