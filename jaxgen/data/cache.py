"""A least-recently-used cache of decoded images, limited in bytes."""

from __future__ import annotations

import collections
import functools
import threading
from collections.abc import Callable, Hashable

import numpy as np

Arrays = tuple[np.ndarray, ...]


class ImageCache:
  """A thread-safe least-recently-used cache of tuples of arrays.

  The arrays are read-only, as all readers share them. Two threads that miss the
  same key at once both load it; the result is the same.
  """

  def __init__(self, max_bytes: int):
    self.max_bytes = max_bytes
    self.num_bytes = 0
    self._entries: collections.OrderedDict[Hashable, Arrays] = (
      collections.OrderedDict()
    )
    self._lock = threading.Lock()

  def __reduce__(self):
    """Unpickle as the cache of the same size of the other process."""
    return shared, (self.max_bytes,)

  def __len__(self) -> int:
    return len(self._entries)

  def get(self, key: Hashable, load: Callable[[], Arrays]) -> Arrays:
    """The arrays of a key; on a miss `load()` makes them."""
    with self._lock:
      arrays = self._entries.get(key)
      if arrays is not None:
        self._entries.move_to_end(key)
        return arrays
    arrays = load()
    for array in arrays:
      array.flags.writeable = False
    self._store(key, arrays)
    return arrays

  def _store(self, key: Hashable, arrays: Arrays) -> None:
    size = _num_bytes(arrays)
    if size > self.max_bytes:
      return
    with self._lock:
      if key in self._entries:
        return
      self._entries[key] = arrays
      self.num_bytes += size
      while self.num_bytes > self.max_bytes:
        _, oldest = self._entries.popitem(last=False)
        self.num_bytes -= _num_bytes(oldest)


def _num_bytes(arrays: Arrays) -> int:
  return sum(array.nbytes for array in arrays)


@functools.cache
def shared(max_bytes: int) -> ImageCache:
  """The cache of this size in this process; training, validation and all stages
  of a run share its images."""
  return ImageCache(max_bytes)
