import contextlib
import dataclasses
import itertools
import threading
import time
from typing import Any

import numpy as np
import pytest
from support.sources import Numbers

from jaxgen.config.data import DataConfig
from jaxgen.data import pipeline
from jaxgen.data.order import shuffled
from jaxgen.data.sources import build

OPTIONS = DataConfig(
  source="textures", channels=1, flips=True, rot90=True, threads=2
)


def take(num, options=OPTIONS, **kwargs):
  source = build(options, "train", 32)
  given: dict[str, Any] = {"batch_size": 8} | kwargs
  found = pipeline.batches(source, options, **given)
  return [b["image"] for b in itertools.islice(found, num)]


def test_a_batch_is_a_function_of_the_seed_and_its_index():
  whole = take(6)
  for got, want in zip(take(3, start=3), whole[3:], strict=True):
    np.testing.assert_array_equal(got, want)
  other = take(1, options=dataclasses.replace(OPTIONS, seed=1))
  assert (other[0] != whole[0]).any()
  assert (take(1, stream="latents")[0] != whole[0]).any()


@pytest.mark.parametrize("size", [2, 4, 24])
def test_images_do_not_depend_on_the_batch_size(size):
  whole = np.concatenate(take(6))
  found = np.concatenate(take(48 // size, batch_size=size))
  np.testing.assert_array_equal(found, whole)


@pytest.mark.slow
def test_worker_processes_and_threads_change_nothing():
  whole = take(3)
  for change in ({"workers": 2}, {"threads": 0}):
    options = dataclasses.replace(OPTIONS, **change)
    for got, want in zip(take(3, options=options), whole, strict=True):
      np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_share_the_same_global_batches(processes):
  whole = take(3)
  shares = [take(3, process=p, processes=processes) for p in range(processes)]
  for k, batch in enumerate(whole):
    rebuilt = np.concatenate([share[k] for share in shares])
    np.testing.assert_array_equal(rebuilt, batch)


def epochs(num, seed=0):
  options = DataConfig(seed=seed)
  found = pipeline.batches(Numbers(), options, batch_size=5)
  batches = [b["image"][:, 0, 0, 0] for b in itertools.islice(found, 2 * num)]
  return np.concatenate(batches).reshape(num, 10)


def test_every_epoch_has_every_tile_once_in_another_order():
  order = epochs(4)
  for epoch in order:
    assert sorted(epoch) == list(range(10))
  assert len({tuple(epoch) for epoch in order}) == 4


@pytest.mark.parametrize("n", [1, 2, 5, 64, 1000, 70_000])
def test_every_epoch_is_an_order_of_its_own(n):
  order = shuffled(np.arange(3 * n), n, 7)
  epochs = order.reshape(3, n)
  assert (np.sort(epochs) == np.arange(n)).all()
  some = np.array([0, 2 * n, n - 1, 3 * n - 1, n])
  found = shuffled(some, n, 7)
  np.testing.assert_array_equal(found, order[some])
  if n > 5:
    other = shuffled(np.arange(n), n, 8)
    assert len({x.tobytes() for x in (*epochs, other)}) == 4


def test_only_requested_fields_are_returned():
  options = DataConfig()
  whole = next(pipeline.batches(Numbers(), options, batch_size=2))
  assert set(whole) == {"image", "label"}
  kept = pipeline.batches(Numbers(), options, batch_size=2, keep=("image",))
  assert set(next(kept)) == {"image"}


def test_flips_and_rotations_give_image_and_mask_the_same_8_orientations():
  corner = np.zeros((4, 4, 1), np.uint8)
  corner[0, 1] = 1  # no symmetry

  class Corner(Numbers):
    def read(self, index, rng=None):
      return {"image": corner, "mask": corner[..., 0].astype(np.int32)}

  options = DataConfig(flips=True, rot90=True)
  batch = next(pipeline.batches(Corner(), options, batch_size=400))
  np.testing.assert_array_equal(batch["image"][..., 0], batch["mask"])
  kinds, counts = np.unique(batch["mask"], axis=0, return_counts=True)
  assert len(kinds) == 8 and counts.min() > 20
  plain = DataConfig()
  batch = next(pipeline.batches(Corner(), plain, batch_size=20))
  assert (batch["image"] == corner).all()
  hflip = DataConfig(hflip=True)
  batch = next(pipeline.batches(Corner(), hflip, batch_size=200))
  kinds, counts = np.unique(batch["mask"], axis=0, return_counts=True)
  assert len(kinds) == 2 and counts.min() > 60
  assert (kinds[:, 0].sum(1) == 1).all()  # the corner stays in its row


def put_batches(num, put, **change):
  options = dataclasses.replace(OPTIONS, **change)
  source = build(options, "train", 32)
  found = pipeline.batches(source, options, batch_size=8, put=put)
  with contextlib.closing(found):
    return [batch for _, batch in zip(range(num), found, strict=False)]


@pytest.mark.parametrize("threads", [0, 4])
def test_batches_that_are_put_on_devices_are_the_same(threads):
  got = put_batches(4, lambda b: b["image"], threads=threads)
  for one, other in zip(got, take(4), strict=True):
    np.testing.assert_array_equal(one, other)


def test_the_next_batches_are_put_before_they_are_needed():
  ready, numbers = threading.Event(), []

  def put(batch):
    numbers.append(threading.current_thread() is threading.main_thread())
    if len(numbers) == 3:
      ready.set()
    return batch

  options = dataclasses.replace(OPTIONS, threads=1)
  source = build(options, "train", 32)
  found = pipeline.batches(source, options, batch_size=8, put=put)
  with contextlib.closing(found):
    next(found)
    assert ready.wait(60)  # the current batch and two that nobody asked for
  assert len(numbers) <= 4 and not any(numbers)


def test_no_thread_is_left_when_batches_are_closed():
  before = threading.active_count()
  put_batches(2, lambda b: b)
  deadline = time.monotonic() + 60
  while threading.active_count() > before:
    assert time.monotonic() < deadline
    time.sleep(0.01)


@pytest.mark.parametrize("threads", [0, 4])
def test_an_error_of_a_batch_reaches_the_step_that_needs_it(threads):
  def put(batch):
    calls.append(batch)
    if len(calls) == 3:
      raise ValueError("unusable")
    return batch

  calls = []
  options = dataclasses.replace(OPTIONS, threads=threads)
  source = build(options, "train", 32)
  found = pipeline.batches(source, options, batch_size=8, put=put)
  with contextlib.closing(found):
    assert [next(found), next(found)] == calls[:2]
    with pytest.raises(ValueError, match="unusable"):
      next(found)


def test_fixed_tiles_are_spread_over_the_split():
  tiles = pipeline.fixed_tiles(Numbers(n=100), 5)
  got = pipeline.stack(tiles)["image"][:, 0, 0, 0]
  assert got.tolist() == [0, 25, 50, 74, 99]
  assert len(pipeline.fixed_tiles(Numbers(n=3), 5)) == 3
