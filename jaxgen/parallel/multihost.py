"""Several processes of one run: agreeing on what only some of them know.

Every call here waits for all processes, so all must make it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import TypeVar, cast

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxgen.errors import UserError

T = TypeVar("T")


def is_lead_host() -> bool:
  """Whether this is the process that writes files and speaks for the run."""
  return jax.process_index() == 0


def allgather(value: int) -> list[int]:
  """The value of each process (32 bits), in their order."""
  if jax.process_count() == 1:
    return [value]
  return multihost_utils.process_allgather(np.int32(value)).tolist()


def all_equal(text: str) -> bool:
  """Whether all processes give the same text."""
  return len(set(allgather(zlib.crc32(text.encode()) >> 1))) == 1


def failure(action: Callable[[], object]) -> str:
  """Try something that may fail on some processes only.

  Returns:
    "" where it worked on all; else why not here, or that it failed elsewhere.
  """
  reason = ""
  try:
    action()
  except Exception as e:
    first = str(e).strip().split("\n")[0]
    reason = first[:200] or type(e).__name__
  failed = any(allgather(bool(reason)))
  return reason or "another process failed at it" if failed else ""


def run_on_all(action: Callable[[], T]) -> T:
  """Run an action that a user's mistake may foil on some processes only.

  Returns:
    The result of the action on this process.

  Raises:
    UserError: on the processes where it failed.
    SystemExit: with status 2 and silently on the others.
  """
  error, result = None, None
  try:
    result = action()
  except UserError as e:
    error = e
  good = all(allgather(error is None))
  if error is not None:
    raise error
  if not good:
    raise SystemExit(2)
  return cast(T, result)
