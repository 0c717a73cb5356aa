"""The random numbers of a batch of images, drawn for all images at once.

Image i has a `numpy.random.Generator` of its own. Its first random words are
given, and numbers are made from them as `Generator` makes them: floats from the
upper 53 bits of a word, integers below a bound by Lemire's method
(arXiv:1805.10941) from half a word, the lower half first.
"""

from __future__ import annotations

import numpy as np

WORDS = 8  # random words per image; crops, flips and rotations use four
_HALF = np.uint64(32)
_LOW = np.uint64(2**32 - 1)


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
