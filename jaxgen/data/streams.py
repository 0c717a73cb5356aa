"""The random numbers of a batch of images, drawn for all images at once.

An image has a `numpy.random.Generator` of its own, whose Philox counter ends
with the position of the image. Numbers are made from its first random words as
`Generator` makes them: floats from the upper 53 bits of a word, integers below
a bound by Lemire's method (arXiv:1805.10941) from half a word, the lower half
first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

WORDS = 8  # per image, two blocks of Philox; an image hardly needs four
_HALF = np.uint64(32)
_LOW = np.uint64(2**32 - 1)


def generator(key: np.ndarray, position: int) -> np.random.Generator:
  """The random generator of the image at a position."""
  counter = np.array([0, 0, 0, position], np.uint64)
  return np.random.Generator(np.random.Philox(key=key, counter=counter))


def random_words(key: np.ndarray, positions: np.ndarray) -> np.ndarray:
  """The first random words `(b, WORDS)` of the generators at positions."""
  words = np.empty((len(positions), WORDS), np.uint64)
  bits: Any = generator(key, 0).bit_generator
  steps = np.diff(positions, prepend=0).tolist()
  blocks = 0  # of the last image
  for row, step in zip(words, steps, strict=True):
    bits.advance((step << 192) - blocks)
    row[:] = bits.random_raw(WORDS)
    blocks = WORDS // 4
  return words


class Streams:
  """One random stream per image.

  Args:
    words: (images, words) uint64, the output of each image's bit generator.
  """

  def __init__(self, words: np.ndarray):
    self._words = words
    self._used = np.zeros(len(words), np.intp)
    self._half = np.zeros(len(words), np.uint64)
    self._spare = np.zeros(len(words), bool)

  def random(self, num: int) -> np.ndarray:
    """The numbers `(images, num)` of `Generator.random(num)`."""
    every = np.arange(len(self._words))
    words = np.stack([self._next(every) for _ in range(num)], axis=1)
    return (words >> np.uint64(11)) * 2.0**-53

  def integers(self, high: np.ndarray | int) -> np.ndarray:
    """The int64 numbers `(images,)` of `Generator.integers(high)`, with a bound
    below 2^32 per image; a bound of 1 uses no random word."""
    bounds = np.broadcast_to(np.asarray(high, np.uint64), len(self._words))
    values = np.zeros(len(bounds), np.int64)
    images = np.flatnonzero(bounds > 1)
    while len(images):
      bound = bounds[images]
      product = self._next_half(images) * bound
      values[images] = product >> _HALF
      rejected = (product & _LOW) < np.uint64(2**32) % bound
      images = images[rejected]
    return values

  def _next(self, images: np.ndarray) -> np.ndarray:
    words = self._words[images, self._used[images]]
    self._used[images] += 1
    return words

  def _next_half(self, images: np.ndarray) -> np.ndarray:
    spare, halves = self._spare[images], self._half[images]
    words = self._next(images[~spare])
    halves[~spare] = words & _LOW
    self._half[images[~spare]] = words >> _HALF
    self._spare[images] = ~spare
    return halves
