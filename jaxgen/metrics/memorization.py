"""Detection of memorized training images among generated ones.

Images are compared as block means, about 16 x 16 per image, so that a little
noise does not hide a copy, in every orientation used in training. Copies that
are shifted, cropped differently or recolored are not detected.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Num
from sklearn.metrics import pairwise_distances

from jaxgen.images import normalize

SIDE = 16  # pixels; images are reduced to about this side
AROUND = 50  # nearest training images that define the unit of distance

Images = Num[np.ndarray, "_ h w c"]  # as sources return them


class Orientations(NamedTuple):
  """The orientations used in training, named as in the section `data`."""

  hflip: bool
  flips: bool
  rot90: bool


class Nearest(NamedTuple):
  """The nearest training image of each image.

  Attributes:
    index: of the training image.
    ratio: its distance divided by the mean distance of the 50 nearest ones.
    memorized: whether it is much closer than the others.
  """

  index: Int[np.ndarray, " n"]
  ratio: Float[np.ndarray, " n"]
  memorized: Bool[np.ndarray, " n"]


def nearest(
  training: Images,
  held_out: Images,
  new: Images,
  *,
  hflip: bool = False,
  flips: bool = False,
  rot90: bool = False,
) -> Nearest:
  """Find memorized images: those much closer to one training image than to the
  others nearby (Carlini et al. 2023, arXiv:2301.13188, section 5), with a ratio
  below half of that exceeded by 99% of held-out real images.

  Args:
    training: the training images.
    held_out: real images that are not in the training set.
    new: generated images.
    hflip, flips, rot90: the orientations used in training.
  """
  orientations = Orientations(hflip=hflip, flips=flips, rot90=rot90)
  known = _shrink(training).reshape(len(training), -1)
  held_out_ratio = _search(known, held_out, orientations)[1]
  index, ratio = _search(known, new, orientations)
  limit = np.quantile(held_out_ratio, 0.01) / 2
  return Nearest(index=index, ratio=ratio, memorized=ratio < limit)


def _search(
  known: np.ndarray, images: np.ndarray, orientations: Orientations
) -> tuple[np.ndarray, np.ndarray]:
  """The index of the nearest of `known` `(m, d)` to each image, and the ratio
  of its distance."""
  distances = np.full((len(images), len(known)), np.inf, np.float32)
  for x in _oriented(_shrink(images), orientations):
    oriented = pairwise_distances(x.reshape(len(x), -1), known)
    distances = np.minimum(distances, oriented)
  around = min(AROUND, len(known))
  near = np.partition(distances, around - 1, axis=1)[:, :around]
  least = distances.min(1)
  return distances.argmin(1), least / np.maximum(near.mean(1), 1e-12)


def _shrink(images: np.ndarray) -> np.ndarray:
  """Block means, about 16 x 16 per image, float32 `(n, ., ., c)`."""
  x = np.asarray(normalize(images))
  n, h, w, c = x.shape
  f = max(1, min(h, w) // SIDE)
  x = x[:, : h // f * f, : w // f * f]
  return x.reshape(n, h // f, f, w // f, f, c).mean((2, 4))


def _oriented(
  x: np.ndarray, orientations: Orientations
) -> Iterator[np.ndarray]:
  hflip = orientations.hflip or orientations.flips
  flipped = [x, x[:, :, ::-1]] if hflip else [x]
  flipped += [y[:, ::-1] for y in flipped] if orientations.flips else []
  for y in flipped:
    yield y
    if orientations.rot90:
      yield np.rot90(y, 1, (1, 2))
      if not orientations.flips:
        yield from (np.rot90(y, k, (1, 2)) for k in (2, 3))
