"""Collective operations over the processes of a run.

Every call here is a barrier: all processes must make it.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import TypeVar, cast

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxgen.errors import UserError

T = TypeVar("T")


def is_lead_host() -> bool:
  """Whether this is the process that writes and prints for the run."""
  return jax.process_index() == 0


def allgather(value: int) -> list[int]:
  """The 32-bit values of all processes, in process order."""
  if jax.process_count() == 1:
    return [value]
  return multihost_utils.process_allgather(np.int32(value)).tolist()


def all_equal(text: str) -> bool:
  """Whether all processes have the same text."""
  return len(set(allgather(zlib.crc32(text.encode()) >> 1))) == 1


def failure(action: Callable[[], object]) -> str:
  """Run an action that may fail on some processes only.

  Returns:
    "" if it succeeded on all; else the error of this process, or a note that it
    failed on another.
  """
  reason = ""
  try:
    action()
  except Exception as e:
    first = str(e).strip().split("\n")[0]
    reason = first[:200] or type(e).__name__
  failed = any(allgather(bool(reason)))
  return reason or "it failed on another process" if failed else ""


def is_loss_of_peer(error: BaseException) -> bool:
  """Whether an error is a collective's or the coordination service's, after
  the end of another process."""
  several = jax.distributed.is_initialized() and jax.process_count() > 1
  is_runtime = isinstance(error, jax.errors.JaxRuntimeError)
  return several and is_runtime and bool(_LOSS.search(str(error)))


_LOSS = re.compile(
  "gloo|nccl|coordination|heartbeat|barrier|unavailable|deadline_exceeded|"
  "another task|socket closed|connection (reset|closed|refused)|broken pipe",
  re.IGNORECASE,
)


def run_on_all(action: Callable[[], T]) -> T:
  """Run an action that may raise a UserError on some processes only.

  Returns:
    The result of the action on this process.

  Raises:
    UserError: on the processes where it was raised.
    SystemExit: on the others, with status 2 and without a message.
  """
  error, result = None, None
  try:
    result = action()
  except UserError as e:
    error = e
  succeeded = all(allgather(error is None))
  if error is not None:
    raise error
  if not succeeded:
    raise SystemExit(2)
  return cast(T, result)
