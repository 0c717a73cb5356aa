"""Seconds of a call, by the clock and of all cores."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple


class Seconds(NamedTuple):
  """How long a call took."""

  wall: float
  cpu: float  # of all threads of the process


def timed(call: Callable[[], object]) -> Seconds:
  """The time of a call."""
  wall, cpu = time.perf_counter(), time.process_time()
  call()
  return Seconds(time.perf_counter() - wall, time.process_time() - cpu)
