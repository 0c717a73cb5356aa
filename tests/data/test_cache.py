import pickle
import threading

import numpy as np
import pytest

from jaxgen.data.cache import ImageCache, shared


def photo(value, size=100):
  return (np.full(size, value, np.uint8),)


def test_a_hit_does_not_load():
  cache = ImageCache(1000)
  first = cache.get("a", lambda: photo(1))
  assert cache.get("a", lambda: pytest.fail("loaded twice")) is first


def test_the_least_recently_used_go_first_and_bytes_stay_below_the_limit():
  cache = ImageCache(300)
  for key in "abc":
    cache.get(key, lambda: photo(0))
  cache.get("a", lambda: photo(0))  # now b is the oldest
  cache.get("d", lambda: photo(0))
  assert cache.num_bytes == 300
  loaded = []
  for key in "acdb":
    cache.get(key, lambda key=key: loaded.append(key) or photo(0))
  assert loaded == ["b"]


def test_an_entry_above_the_limit_is_returned_but_not_kept():
  cache = ImageCache(99)
  assert cache.get("a", lambda: photo(3))[0][0] == 3
  assert (len(cache), cache.num_bytes) == (0, 0)


def test_shared_arrays_cannot_be_written():
  (image,) = ImageCache(1000).get("a", lambda: photo(0))
  with pytest.raises(ValueError):
    image[0] = 1


def test_pickling_leaves_the_images_behind():
  cache = shared(12345)
  cache.get("a", lambda: photo(0))
  assert len(pickle.dumps(cache)) < 200
  assert pickle.loads(pickle.dumps(cache)) is cache  # one per process


def test_threads_see_whole_entries_and_the_count_stays_right():
  cache = ImageCache(1000)
  wrong = []

  def work(seed):
    for key in np.random.default_rng(seed).integers(0, 40, 2000):
      (image,) = cache.get(int(key), lambda key=key: photo(key))
      wrong.extend(x for x in (image[0], image[-1]) if x != key)

  threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert not wrong
  assert cache.num_bytes == 100 * len(cache) <= 1000
