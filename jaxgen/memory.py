"""What the compiler says of a program's memory."""

from __future__ import annotations

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
