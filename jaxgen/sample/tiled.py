"""Encoding and decoding of images of any size, window by window.

Images come one by one, as lists of windows on a grid; no more than a batch of
windows and a row of each image's windows are held at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from jaxgen.batching import map_stream
from jaxgen.images import as_uint8
from jaxgen.sample import codec
from jaxgen.sample.run import BATCH, LoadedRun
from jaxgen.windows import Finish, WindowGrid


def encode_windows(
  run: LoadedRun,
  windows: Iterable[np.ndarray],
  num: int,
  *,
  batch: int = BATCH,
) -> np.ndarray:
  """Latents `(num, ...)` of `num` windows, each of the run's image shape."""
  return np.stack(list(_latents(run, windows, num, batch=batch)))


def _latents(
  run: LoadedRun, windows: Iterable[np.ndarray], num: int, *, batch: int
) -> Iterator[np.ndarray]:
  size = run.whole_batch(batch, num)
  encode = lambda x: codec.encode(run, x, batch=size)  # noqa: E731
  return map_stream(encode, windows, size, total=num, label="encoding")


def decode_images(
  run: LoadedRun,
  latents: Iterable[np.ndarray],
  grids: Sequence[WindowGrid],
  *,
  batch: int = BATCH,
  finish: Finish = as_uint8,
) -> Iterator[np.ndarray]:
  """Images uint8 `(h, w, c)`, assembled from the latents of their windows;
  `finish` makes something else of their float pixels."""
  total = sum(map(len, grids))
  size = run.whole_batch(batch, total)
  decode = lambda z: codec.decode_float(run, z, batch=size)  # noqa: E731
  windows = map_stream(decode, latents, size, total=total, label="decoding")
  return _assemble(windows, grids, finish)


def reconstruct_images(
  run: LoadedRun,
  windows: Iterable[np.ndarray],
  grids: Sequence[WindowGrid],
  *,
  batch: int = BATCH,
  finish: Finish = as_uint8,
) -> Iterator[np.ndarray]:
  """Images uint8 `(h, w, c)`, assembled from their windows encoded and
  decoded; `finish` as for `decode_images`."""
  latents = _latents(run, windows, sum(map(len, grids)), batch=batch)
  return decode_images(run, latents, grids, batch=batch, finish=finish)


def _assemble(
  windows: Iterator[np.ndarray], grids: Iterable[WindowGrid], finish: Finish
) -> Iterator[np.ndarray]:
  for grid in grids:
    part = itertools.islice(windows, len(grid))
    yield grid.assemble(part, finish=finish)
