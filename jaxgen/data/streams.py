"""Random numbers of images, drawn for all images of a batch at once.

Each image has a stream of its own: blocks of the counter of a Philox generator
(Salmon et al. 2011, doi:10.1145/2063384.2063405) that its position alone
determines. Streams of different positions do not overlap.
"""

from __future__ import annotations

import numpy as np

WORDS = 8  # random numbers of an image
_BLOCKS = WORDS // 4  # steps of the counter; each gives four words


class Streams:
  """The random stream of an image, or one for each image of a batch.

  Args:
    words: uint64 `(words,)`, or `(images, words)`; each number uses one.
  """

  def __init__(self, words: np.ndarray):
    self._words = words
    self._used = 0

  def __getitem__(self, image: int) -> Streams:
    """The rest of the stream of one image of a batch."""
    return Streams(self._words[image, self._used :])

  def random(self) -> np.ndarray:
    """A uniform float64 in [0, 1) for each image.

    Raises:
      IndexError: all words are used.
    """
    word = self._words[..., self._used]
    self._used += 1
    return (word >> np.uint64(11)) * 2.0**-53

  def integers(self, high: np.ndarray | int) -> np.ndarray:
    """A uniform int64 in [0, high) for each image, with a bound below 2^53 that
    may differ between images.

    No probability differs from `1 / high` by more than 2^-50.
    """
    return np.floor(self.random() * high).astype(np.int64)

  def seeds(self) -> np.ndarray:
    """A uint64 for each image, of all its unused words, without using them."""
    return np.bitwise_xor.reduce(self._words[..., self._used :], axis=-1)


def streams(seed: int, first: int, *, num: int) -> Streams:
  """The streams of `num` images from position `first`."""
  bits = np.random.Philox(key=seed, counter=first * _BLOCKS)
  return Streams(bits.random_raw(num * WORDS).reshape(num, WORDS))
