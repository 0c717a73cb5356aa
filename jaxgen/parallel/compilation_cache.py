"""The folder of compiled programs, shared by all runs of a machine."""

from __future__ import annotations

import hashlib
import os
import pathlib
import platform
import sys

from jaxgen.formats.user_cache import cache_folder

FOLDER = "JAX_COMPILATION_CACHE_DIR"
SHORTEST = "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"
SECONDS = 0.2  # programs that compile faster are not cached


def cache_compilations() -> None:
  """Cache compiled programs between runs, unless configured otherwise.

  The folder is `xla/MACHINE` in the user's cache. If JAX is imported before, as
  in a notebook, its options are set, else its environment variables.
  """
  folder = cache_folder(f"xla/{machine()}")
  if FOLDER in os.environ or folder is None:
    return
  try:
    folder.mkdir(parents=True, exist_ok=True)
  except OSError:  # not writable
    return
  if "jax" in sys.modules:
    _set_options(folder)
  else:
    os.environ[FOLDER] = str(folder)
    os.environ.setdefault(SHORTEST, str(SECONDS))


def machine() -> str:
  """A name for the CPU and the number of cores that the process may use.

  Programs contain instructions of the CPU that compiled them, and are divided
  among its cores: those compiled on one core run on one of many.
  """
  digest = hashlib.sha256(_cpu().encode()).hexdigest()[:8]
  return f"{platform.machine()}-{digest}-{_cores()}"


def _cores() -> int:
  if hasattr(os, "sched_getaffinity"):  # not on macOS
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def _cpu() -> str:
  """The model of the CPU and its instruction sets, as far as they are known."""
  try:
    text = pathlib.Path("/proc/cpuinfo").read_text()
  except OSError:
    return platform.processor()
  first = text.split("\n\n")[0].splitlines()
  names = ("model name", "flags", "Features", "CPU part")
  return "\n".join(line for line in first if line.startswith(names))


def _set_options(folder: pathlib.Path) -> None:
  import jax

  if jax.config.jax_compilation_cache_dir is None:  # pyright: ignore[reportAttributeAccessIssue]
    jax.config.update("jax_compilation_cache_dir", str(folder))
    seconds = float(os.environ.get(SHORTEST, SECONDS))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", seconds)
