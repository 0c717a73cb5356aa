"""Memory use of compiled programs, and memory limits of a process."""

from __future__ import annotations

import pathlib

import jax
import jax.numpy as jnp

_ROW = 2**20  # bytes; a dimension of bytes alone may not fit into 32 bits


def is_exhausted(error: Exception) -> bool:
  """Whether an error of the runtime says that a device is out of memory."""
  return "RESOURCE_EXHAUSTED" in str(error)


def reserve(compiled: jax.stages.Compiled) -> None:
  """Allocate what a program takes besides its arguments, on each device of this
  process, and free it.

  Raises:
    JaxRuntimeError: a device is out of memory, see `is_exhausted`.
  """
  memory = compiled.memory_analysis()
  if memory is None:
    return
  results = memory.output_size_in_bytes - memory.alias_size_in_bytes
  parts = (memory.temp_size_in_bytes, results)
  for device in jax.local_devices():
    with jax.default_device(device):
      shapes = [(-(-max(size, 0) // _ROW), _ROW) for size in parts]
      jax.block_until_ready([jnp.zeros(x, jnp.uint8) for x in shapes])


def program_bytes(compiled: jax.stages.Compiled) -> int:
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
