"""Worker processes that read batches.

They import neither JAX nor grain, so that they start in a fraction of a second
and use little memory.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool

import numpy as np

from jaxgen.data.reading import Reader
from jaxgen.data.source import Element
from jaxgen.errors import RunError

SIGNALS = (signal.SIGINT, signal.SIGTERM)

Submit = Callable[[np.ndarray, int], "futures.Future[Element]"]


@contextlib.contextmanager
def submitting(reader: Reader, workers: int) -> Iterator[Submit]:
  """Worker processes within the block, and a function that lets one of them
  read a batch.

  Raises:
    RunError: a worker process was killed.
  """
  pool = futures.ProcessPoolExecutor(
    workers,
    multiprocessing.get_context("spawn"),
    initializer=_start,
    initargs=(reader,),
  )
  try:
    yield functools.partial(_submit, pool)
  except BrokenProcessPool as error:
    raise RunError(
      f"data.workers={workers}: a worker process was killed; is there enough"
      " memory?"
    ) from error
  finally:
    pool.shutdown(cancel_futures=True)


def _submit(
  pool: futures.ProcessPoolExecutor, indices: np.ndarray, first: int
) -> futures.Future[Element]:
  """Let a worker read; it may be started here, with signals blocked until it
  ignores them."""
  before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
  try:
    return pool.submit(_read, indices, first)
  finally:
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


_reader: Reader  # of a worker process


def _start(reader: Reader) -> None:
  """Make a worker process ignore signals and exit with the main process, which
  may still need batches when the whole process group is signaled."""
  global _reader
  _reader = reader
  for number in SIGNALS:
    signal.signal(number, signal.SIG_IGN)
  signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
  main = multiprocessing.parent_process()
  if main is not None:
    watch = lambda: (main.join(), os._exit(1))  # noqa: E731
    threading.Thread(target=watch, daemon=True).start()


def _read(indices: np.ndarray, first: int) -> Element:
  return _reader.read(indices, first)
