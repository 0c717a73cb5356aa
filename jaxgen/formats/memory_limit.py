"""A limit on what is read into memory at once, known from a file's headers."""

from __future__ import annotations

import os
import pathlib


def check_fits(num_bytes: int, what: str) -> None:
  """Raise a ValueError if data are larger than the memory of this machine that
  is not in use."""
  available = available_memory()
  if num_bytes > available:
    raise ValueError(
      f"{what} would take {num_bytes / 1e9:,.1f} GB of memory, of"
      f" {available / 1e9:,.1f} GB available"
    )


def available_memory() -> int:
  """Bytes of memory that are not in use: as Linux says, else all there are."""
  info = pathlib.Path("/proc/meminfo")
  lines = info.read_text().splitlines() if info.is_file() else []
  for line in lines:
    if line.startswith("MemAvailable:"):
      return int(line.split()[1]) << 10
  return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
