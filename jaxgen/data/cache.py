"""A least-recently-used cache of decoded images with a size limit."""

from __future__ import annotations

import collections
import functools
import threading
from collections.abc import Callable, Hashable

import numpy as np

Arrays = tuple[np.ndarray, ...]


class ImageCache:
  """A thread-safe least-recently-used cache of tuples of arrays.

  The arrays are read-only, since all readers share them. If two threads miss
  the same key at the same time, both load it, with the same result.
  """

  def __init__(self, max_bytes: int):
    self.max_bytes = max_bytes
    self.num_bytes = 0
    self._entries: collections.OrderedDict[Hashable, Arrays] = (
      collections.OrderedDict()
    )
    self._lock = threading.Lock()

  def __reduce__(self):
    """Unpickle as the shared cache of this size in the new process."""
    return shared, (self.max_bytes,)

  def __len__(self) -> int:
    return len(self._entries)

  def get(self, key: Hashable, load: Callable[[], Arrays]) -> Arrays:
    """The arrays of a key, from `load()` on a miss."""
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
  """The process-wide cache of this size, shared by training, validation and all
  stages of a run."""
  return ImageCache(max_bytes)
