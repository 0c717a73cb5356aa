"""Padded batches: any number of images for a program of fixed batch size."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from jaxgen import progress

Element = Mapping[str, np.ndarray]


def padded_batches(
  tiles: Element, size: int
) -> list[tuple[Element, np.ndarray]]:
  """Tiles in batches of `size`, the last one padded with its first image, each
  with a float mask `(size,)` that is 0 on the padding."""
  n = len(tiles["image"])
  batches = []
  for start in range(0, n, size):
    index = np.arange(start, start + size)
    valid = (index < n).astype(np.float32)
    index = np.where(index < n, index, start)
    batches.append(({k: v[index] for k, v in tiles.items()}, valid))
  return batches


def map_batches(
  encode, images: np.ndarray, batch: int, *, label: str
) -> np.ndarray:
  """Apply `encode` to any number of images, in padded batches of one shape;
  `label` says what it does in reports of progress."""
  outputs = []
  with progress.loop(label, len(images)) as advance:
    for part, _ in padded_batches({"image": images}, batch):
      outputs.append(np.asarray(encode(part["image"])))
      advance(batch)
  return np.concatenate(outputs)[: len(images)]


def map_stream(
  apply: Callable[[np.ndarray], np.ndarray],
  items: Iterable[np.ndarray],
  size: int,
  *,
  total: int,
  label: str,
) -> Iterator[np.ndarray]:
  """`map_batches` of `total` items that come one by one, of which no more than
  a batch is held at a time."""
  remaining = iter(items)
  with progress.loop(label, total, unit="windows") as advance:
    while batch := list(itertools.islice(remaining, size)):
      padding = batch[:1] * (size - len(batch))
      yield from apply(np.stack(batch + padding))[: len(batch)]
      advance(len(batch))
