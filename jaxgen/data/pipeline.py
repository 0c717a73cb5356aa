"""Batches of a source: shuffled, augmented, sharded, resumable.

Batch k is a pure function of (seed, k): the position in the data is a single
number, and a run needs nothing else to resume. Shuffling, crops and
augmentation precede the split over processes, and each process gets a
contiguous part of each batch, so that the global batch does not depend on the
number of processes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any

import grain
import numpy as np
from absl import flags

from jaxgen.config.data import DataConfig
from jaxgen.data.source import BatchSource, Element, Source
from jaxgen.data.streams import WORDS, Streams

_READY = 1  # batches on the devices besides the current and the next one


@dataclasses.dataclass(frozen=True, kw_only=True)
class Read(grain.transforms.RandomMap):
  """A transform from an index to a tile, with random crop and augmentation."""

  source: Source
  options: DataConfig
  keep: tuple[str, ...]

  def random_map(self, element: Any, rng: np.random.Generator) -> Element:
    """Read tile `element` (an index)."""
    tile = self.source.read(int(element), rng)
    flips = (rng.random(2) < 0.5) & _flips(self.options)
    rot90 = int(rng.integers(4)) * self.options.rot90
    return {
      name: _augment(x, flips, rot90)
      for name, x in tile.items()
      if not self.keep or name in self.keep
    }


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReadBatch:
  """A transform from the indices and random words of a batch to its tiles: the
  batch of the tiles of `Read`."""

  source: BatchSource
  options: DataConfig
  keep: tuple[str, ...]

  def __call__(self, drawn: Sequence[tuple[int, np.ndarray]]) -> Element:
    """Read the tiles of `draw`."""
    indices, words = map(np.array, zip(*drawn, strict=True))
    streams = Streams(words)
    tiles = self.source.read_batch(indices, streams)
    flips = (streams.random(2) < 0.5) & _flips(self.options)
    rot90 = streams.integers(4) * self.options.rot90
    return {
      name: _augment_batch(x, flips, rot90)
      for name, x in tiles.items()
      if not self.keep or name in self.keep
    }


def draw(index: int, rng: np.random.Generator) -> tuple[int, np.ndarray]:
  """The index of a tile and the first words of its random stream."""
  return index, rng.bit_generator.random_raw(WORDS)


def _flips(options: DataConfig) -> np.ndarray:
  """Whether images are flipped up-down and left-right."""
  return np.array([options.flips, options.flips or options.hflip])


def _augment(x: np.ndarray, flips: np.ndarray, rot90: int) -> np.ndarray:
  """Flip and rotate an image or a mask; scalars are unchanged."""
  if x.ndim < 2:
    return x
  for axis, flip in enumerate(flips):
    x = np.flip(x, axis) if flip else x
  return np.ascontiguousarray(np.rot90(x, rot90) if rot90 else x)


def _augment_batch(
  x: np.ndarray, flips: np.ndarray, rot90: np.ndarray
) -> np.ndarray:
  """Flip and rotate each image or mask of a batch, in place."""
  if x.ndim < 3:
    return x
  pixels = x if x.ndim == 3 else x.view(f"V{x[0, 0, 0].nbytes}")[..., 0]
  orientations, kinds = np.unique(
    np.column_stack([flips, rot90]), axis=0, return_inverse=True
  )
  for kind, (up_down, left_right, k) in enumerate(orientations.tolist()):
    images = np.flatnonzero(kinds.reshape(-1) == kind)
    axes = (1,) * up_down + (2,) * left_right
    if axes or k:
      turned = np.rot90(np.flip(pixels[images], axes), k, (1, 2))
      pixels[images] = turned
  return x


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
) -> grain.DatasetIterator[Any]:
  """An endless iterator over this process's batches, from batch `start`.

  Args:
    source: the tiles of a split.
    options: augmentation, threads and worker processes.
    batch_size: images per batch over all processes; a multiple of `processes`.
    start: index of the first batch.
    stream: name of the random stream; each stage and verb has its own.
    keep: fields of each element to return; empty: all.
    process: index of this process, in `[0, processes)`.
    processes: number of processes that share a batch.
    put: moves a batch to the devices; called in a thread of its own unless
      `options.threads` is 0, so that batches are ready before they are needed.

  Returns:
    An iterator of dicts of arrays `(batch_size / processes, ...)`, or of the
    results of `put`; closing it stops its threads and worker processes.
  """
  seed = derive_seed("batches", options.seed, stream)
  tiles = grain.MapDataset.range(len(source)).seed(seed).shuffle().repeat()
  size = batch_size // processes
  if isinstance(source, BatchSource):
    read = ReadBatch(source=source, options=options, keep=keep)
    tiles = tiles.random_map(draw)
    tiles = tiles.batch(size, drop_remainder=True, batch_fn=read)
  else:
    read = Read(source=source, options=options, keep=keep)
    tiles = tiles.random_map(read).batch(size, drop_remainder=True)
  tiles = tiles[start * processes + process :: processes]
  reading = grain.ReadOptions(
    num_threads=options.threads, prefetch_buffer_size=max(options.threads, 1)
  )
  dataset = tiles.to_iter_dataset(reading)
  if options.workers:
    if not flags.FLAGS.is_parsed():  # grain reads absl's flags
      flags.FLAGS.mark_as_parsed()
    workers = grain.MultiprocessingOptions(num_workers=options.workers)
    dataset = dataset.mp_prefetch(workers, worker_init_fn=_init_worker)
    dataset = dataset.map(_copy)
  if put is not None:
    dataset = grain.experimental.ThreadPrefetchIterDataset(
      dataset.map(put), prefetch_buffer_size=min(options.threads, _READY)
    )
  return iter(dataset)


def _copy(batch: Element) -> Element:
  """A copy of a batch outside the workers' shared memory, which is reused."""
  return {k: np.array(v, subok=False) for k, v in batch.items()}


def _init_worker(worker: int, workers: int) -> None:
  """Make a worker process ignore signals and exit with the main process, which
  may still need batches when the whole process group is signaled."""
  for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
  main = multiprocessing.parent_process()
  if main is not None:
    watch = lambda: (main.join(), os._exit(1))  # noqa: E731
    threading.Thread(target=watch, daemon=True).start()


def fixed_tiles(source: Source, num: int) -> list[Element]:
  """At most `num` fixed tiles, evenly spaced over a split."""
  n = len(source)
  indices = np.unique(np.linspace(0, n - 1, min(num, n)).round().astype(int))
  return [source.read(int(i)) for i in indices]


def stack(tiles: list[Element]) -> Element:
  """A batch of a list of elements."""
  return {k: np.stack([tile[k] for tile in tiles]) for k in tiles[0]}
