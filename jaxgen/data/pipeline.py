"""Batches of a source: shuffled, augmented, sharded, resumable.

Batch k is a pure function of (seed, k): the position in the data is a single
number, and a run needs nothing else to resume. Shuffling, crops and
augmentation precede the split over processes, and each process gets a
contiguous part of each batch, so that the global batch does not depend on the
number of processes.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Callable, Generator
from concurrent import futures
from typing import Any

import grain
import numpy as np

from jaxgen import progress
from jaxgen.config.data import DataConfig
from jaxgen.data import workers
from jaxgen.data.order import order_of
from jaxgen.data.reading import Reader
from jaxgen.data.reading import stack as stack
from jaxgen.data.source import Element, Source

_READY = 1  # batches on the devices besides the current and the next one


def derive_seed(*parts: Any) -> int:
  """A 32-bit seed derived from any values, identical on every machine."""
  digest = hashlib.sha256(repr(parts).encode()).digest()
  return int.from_bytes(digest[:4], "little")


def batches(
  source: Source,
  options: DataConfig,
  *,
  batch_size: int,
  start: int = 0,
  stream: str | tuple[str, int] = "train",
  keep: tuple[str, ...] = (),
  process: int = 0,
  processes: int = 1,
  put: Callable[[Element], Any] | None = None,
) -> Generator[Any]:
  """This process's batches without end, from batch `start`.

  Args:
    source: the tiles of a split.
    options: balance, augmentation, threads or worker processes.
    batch_size: images per batch over all processes; a multiple of `processes`.
    start: index of the first batch.
    stream: name of the random stream; each stage and verb has its own.
    keep: fields of each element to return; empty: all.
    process: index of this process, in `[0, processes)`.
    processes: number of processes that share a batch.
    put: moves a batch to the devices; called in a thread of its own unless
      `options.threads` is 0, so that batches are ready before they are needed.

  Yields:
    Dicts of arrays `(batch_size / processes, ...)`, or the results of `put`.
    Closing the generator stops its threads and worker processes.
  """
  seed = derive_seed("batches", options.seed, stream)
  size = batch_size // processes
  reader = Reader(source=source, options=options, seed=seed, keep=tuple(keep))
  tiles = order_of(source, options, batch=batch_size, seed=seed)
  numbers = grain.MapDataset.range(sys.maxsize // size)
  numbers = numbers[start * processes + process :: processes]

  def order(k: int) -> tuple[np.ndarray, int]:
    positions = np.arange(k * size, (k + 1) * size)
    return tiles(positions), k * size

  with contextlib.ExitStack() as resources:
    if options.workers:
      pool = workers.submitting(reader, options.workers)
      submit = resources.enter_context(pool)
      submitted = numbers.map(lambda k: submit(*order(k)))
      dataset = _ahead(submitted, threads=1, num=2 * options.workers)
      dataset = dataset.map(futures.Future.result)
    else:
      read = numbers.map(lambda k: reader.read(*order(k)))
      dataset = _ahead(read, threads=options.threads, num=options.threads)
    if put is not None:
      dataset = grain.experimental.ThreadPrefetchIterDataset(
        dataset.map(put), prefetch_buffer_size=min(options.threads, _READY)
      )
    yield from resources.enter_context(contextlib.closing(iter(dataset)))


def _ahead(
  dataset: grain.MapDataset[Any], *, threads: int, num: int
) -> grain.IterDataset[Any]:
  """The elements in order, of which threads compute the next `num`."""
  options = grain.ReadOptions(
    num_threads=threads, prefetch_buffer_size=max(num, 1)
  )
  return dataset.to_iter_dataset(options)


def fixed_tiles(source: Source, num: int) -> list[Element]:
  """At most `num` fixed tiles, evenly spaced over a split."""
  n = len(source)
  indices = np.unique(np.linspace(0, n - 1, min(num, n)).round().astype(int))
  reported = progress.each("reading tiles", indices.tolist())
  return [source.read(i) for i in reported]
