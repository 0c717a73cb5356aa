"""Encoding, decoding and painting of images of any size by a hybrid.

The autoencoder works window by window; what it has assembled is painted as a
whole, in windows that overlap by half.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Unpack

import numpy as np

from jaxgen.sample import tiled
from jaxgen.sample.options import SamplingKeywords
from jaxgen.sample.painting import paint
from jaxgen.sample.run import BATCH, LoadedRun
from jaxgen.windows import WindowGrid

if TYPE_CHECKING:
  from jaxgen.sample.painter import PainterRun

CANVASES = 4  # maximum batch size, since a canvas has many windows


def encode_windows(
  run: PainterRun,
  windows: Iterable[np.ndarray],
  num: int,
  *,
  batch: int = BATCH,
) -> np.ndarray:
  """See `tiled.encode_windows`."""
  return tiled.encode_windows(run.autoencoder, windows, num, batch=batch)


def decode_images(
  run: PainterRun,
  latents: Iterable[np.ndarray],
  grids: Sequence[WindowGrid],
  *,
  seed: int = 0,
  batch: int = BATCH,
  **options: Unpack[SamplingKeywords],
) -> Iterator[np.ndarray]:
  """Images uint8 `(h, w, c)` of any size, assembled from the latents of their
  windows and then painted."""
  hints = tiled.decode_images(
    run.autoencoder, latents, grids, batch=batch, finish=np.asarray
  )
  return _painted(run, hints, seed=seed, batch=batch, **options)


def reconstruct_images(
  run: PainterRun,
  windows: Iterable[np.ndarray],
  grids: Sequence[WindowGrid],
  *,
  seed: int = 0,
  batch: int = BATCH,
  **options: Unpack[SamplingKeywords],
) -> Iterator[np.ndarray]:
  """Images uint8 `(h, w, c)` of any size, encoded and decoded by windows and
  then painted."""
  hints = tiled.reconstruct_images(
    run.autoencoder, windows, grids, batch=batch, finish=np.asarray
  )
  return _painted(run, hints, seed=seed, batch=batch, **options)


def _painted(
  run: LoadedRun,
  hints: Iterable[np.ndarray],
  *,
  seed: int,
  batch: int,
  **options: Unpack[SamplingKeywords],
) -> Iterator[np.ndarray]:
  """Images painted one after the other, neighbors of one size together."""
  first = 0
  for shape, group in itertools.groupby(hints, key=np.shape):
    size = batch if shape == run.image_shape else min(batch, CANVASES)
    while part := list(itertools.islice(group, size)):
      yield from paint(
        run, np.stack(part), seed=seed, batch=size, first=first, **options
      ).images
      first += len(part)
