"""Generated images that are memorized training images.

Pixels are compared as means of about 16 x 16 blocks, so that a little noise
does not hide a copy, in every orientation that training shows. A copy that is
shifted by some pixels, cropped differently or recolored is not found.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Num
from sklearn.metrics import pairwise_distances

from jaxgen.images import normalize

SIDE = 16  # pixels to which images are shrunk
AROUND = 50  # nearest training images whose mean distance is the unit

Images = Num[np.ndarray, "_ h w c"]  # as sources return them


class Orientations(NamedTuple):
  """The orientations that training shows, named as in the section `data`."""

  hflip: bool
  flips: bool
  rot90: bool


class Nearest(NamedTuple):
  """The nearest training image of each image.

  Attributes:
    index: of the training image.
    ratio: its distance over the mean distance of the 50 nearest ones.
    memorized: whether it is far nearer than the others.
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
  """Find memorized images: those whose nearest training image is far nearer
  than the others around it (Carlini et al. 2023, arXiv:2301.13188, section 5),
  by half the ratio that 99% of held-out real images exceed.

  Args:
    training: the training images.
    held_out: real images that are not in the training set.
    new: generated images.
    hflip, flips, rot90: the orientations that training shows.
  """
  shown = Orientations(hflip=hflip, flips=flips, rot90=rot90)
  known = _shrink(training).reshape(len(training), -1)
  usual = _search(known, held_out, shown)[1]
  index, ratio = _search(known, new, shown)
  limit = np.quantile(usual, 0.01) / 2
  return Nearest(index=index, ratio=ratio, memorized=ratio < limit)


def _search(
  known: np.ndarray, images: np.ndarray, shown: Orientations
) -> tuple[np.ndarray, np.ndarray]:
  """The nearest of `known` `(m, d)`, and its ratio."""
  between = np.full((len(images), len(known)), np.inf, np.float32)
  for x in _oriented(_shrink(images), shown):
    distance = pairwise_distances(x.reshape(len(x), -1), known)
    between = np.minimum(between, distance)
  around = min(AROUND, len(known))
  near = np.partition(between, around - 1, axis=1)[:, :around]
  least = between.min(1)
  return between.argmin(1), least / np.maximum(near.mean(1), 1e-12)


def _shrink(images: np.ndarray) -> np.ndarray:
  """Means of about 16 x 16 blocks, float32 `(n, ., ., c)`."""
  x = np.asarray(normalize(images))
  n, h, w, c = x.shape
  f = max(1, min(h, w) // SIDE)
  x = x[:, : h // f * f, : w // f * f]
  return x.reshape(n, h // f, f, w // f, f, c).mean((2, 4))


def _oriented(x: np.ndarray, shown: Orientations) -> Iterator[np.ndarray]:
  sides = [x, x[:, :, ::-1]] if shown.hflip or shown.flips else [x]
  sides += [y[:, ::-1] for y in sides] if shown.flips else []
  for y in sides:
    yield y
    if shown.rot90:
      yield np.rot90(y, 1, (1, 2))
      if not shown.flips:
        yield from (np.rot90(y, k, (1, 2)) for k in (2, 3))
