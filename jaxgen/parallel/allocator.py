"""The C library's allocator, set up for steps of a fixed size.

By default glibc returns the buffers of a step to the kernel after every step,
and each page is faulted in again at the next: 16,000 to 300,000 page faults a
step. Here freed memory stays with the process, in one heap.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import importlib.util
import os
import sys

import jax

from jaxgen.errors import UserError

VARIABLE = "JAXGEN_ALLOCATOR"
# Parameters of mallopt(3), from glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
_M_ARENA_MAX = -8


def keep_freed_memory() -> bool:
  """Keep freed memory for the next step; does nothing but on CPU and glibc.

  Must be called before the backend starts: its threads allocate from heaps of
  their own from then on. `JAXGEN_ALLOCATOR=system` leaves the allocator as it
  is.

  Returns:
    Whether freed memory is kept.

  Raises:
    UserError: the variable has another value.
  """
  chosen = os.environ.get(VARIABLE, "")
  if chosen not in ("", "system"):
    raise UserError(f"{VARIABLE}={chosen}: expected system, or nothing.")
  if chosen or not _runs_on_cpu():
    return False
  return _set_options()


def release_free_memory() -> None:
  """Return free memory once, as after a compilation, which leaves some 400 MB
  that steps do not need; does nothing if freed memory is not kept."""
  if keep_freed_memory():
    ctypes.CDLL(None).malloc_trim(0)


def _runs_on_cpu() -> bool:
  """Whether the backend will be the CPU's, without starting it: by JAX's option
  `jax_platforms`, else if no plugin for another device is installed."""
  platforms = jax.config.jax_platforms  # pyright: ignore[reportAttributeAccessIssue]
  if platforms:
    return platforms.split(",")[0] == "cpu"
  plugins = importlib.metadata.entry_points(group="jax_plugins")
  return not plugins and importlib.util.find_spec("libtpu") is None


@functools.cache
def _set_options() -> bool:
  if sys.platform != "linux":
    return False
  library = ctypes.CDLL(None)
  if not hasattr(library, "gnu_get_libc_version"):
    return False
  options = ((_M_ARENA_MAX, 1), (_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, -1))
  return all(library.mallopt(*option) == 1 for option in options)
