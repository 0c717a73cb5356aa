"""The order of tiles, by domains."""

import contextlib
import pickle
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jaxgen.config.data import DataConfig
from jaxgen.data import pipeline
from jaxgen.data.files.folder import folder
from jaxgen.data.order import BalancedOrder, order_of
from jaxgen.data.sources import build
from jaxgen.errors import UserError

SIZES = (60, 12, 3)


def order(shares, batch, sizes=SIZES, seed=0):
  ends = np.cumsum(sizes)
  groups = [np.arange(e - n, e) for e, n in zip(ends, sizes, strict=True)]
  shares = np.array(shares) / np.sum(shares)
  return BalancedOrder(
    domains=tuple(groups), shares=shares, batch=batch, seed=seed
  )


def counts(found, number):
  return np.bincount(found.domains_of(number), minlength=len(found.shares))


@pytest.mark.parametrize("batch", [3, 8, 32])
@pytest.mark.parametrize("shares", [(1, 1, 1), (0.001, 0.01, 1), (1, 0, 0)])
def test_every_batch_has_every_domain(shares, batch):
  """At least one tile of each, and the rest by the shares."""
  found = order(shares, batch)
  seen = np.array([counts(found, k) for k in range(200)])
  assert seen.min() >= 1 and (seen.sum(1) == batch).all()
  want = 1 + (batch - len(SIZES)) * found.shares
  assert (abs(seen - want) < 1 + 1e-9).all()
  np.testing.assert_allclose(seen.mean(0), want, atol=0.12)


def test_batches_smaller_than_the_number_of_domains_follow_the_shares():
  found = order((3, 2, 1), 2)
  mean = np.mean([counts(found, k) for k in range(3000)], axis=0)
  np.testing.assert_allclose(mean, 2 * found.shares, atol=0.05)


def test_tiles_are_of_the_domain_and_all_of_them_come():
  found = order((1, 1, 1), 9)
  tiles = np.concatenate(
    [found(np.arange(9 * k, 9 * k + 9)) for k in range(100)]
  )
  used = np.bincount(tiles, minlength=sum(SIZES))
  assert (used > 0).all()
  for domain in found.domains:  # a third each, though one has 20 times as many
    assert used[domain].sum() == 300


def test_a_part_of_a_batch_is_that_part():
  found = order((1, 2, 3), 12)
  whole = found(np.arange(24, 36))
  parts = [found(np.arange(24 + 4 * i, 28 + 4 * i)) for i in range(3)]
  np.testing.assert_array_equal(np.concatenate(parts), whole)
  other = order((1, 2, 3), 12, seed=1)(np.arange(24, 36))
  assert (other != whole).any()


@pytest.fixture
def path(tmp_path):
  rng = np.random.default_rng(0)
  for name, num in (("cells", 14), ("sky", 3), ("rooms", 6)):
    (tmp_path / name).mkdir()
    for i in range(num):
      pixels = rng.integers(0, 255, (16, 24, 3)).astype(np.uint8)
      Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
  return tmp_path


def options(path, **other):
  given: dict[str, Any] = {"source": "folder", "path": str(path)}
  given |= {"validation_fraction": 0.2}
  return DataConfig(**given | other)


def labels(source, options, start=0, processes=1, num=6):
  """The labels and images of batches, those of processes joined."""
  streams = [
    pipeline.batches(
      source,
      options,
      batch_size=8,
      start=start,
      process=i,
      processes=processes,
    )
    for i in range(processes)
  ]
  with contextlib.ExitStack() as stack:
    for stream in streams:
      stack.enter_context(contextlib.closing(stream))
    batches = [[next(x) for x in streams] for _ in range(num)]
  join = lambda key: np.array(  # noqa: E731
    [np.concatenate([part[key] for part in parts]) for parts in batches]
  )
  return join("label"), join("image")


def test_the_labels_of_tiles_are_those_that_are_read(path):
  source: Any = folder(options(path), "train", 8)
  known = source.tile_labels()
  assert len(known) == len(source)
  for i in range(0, len(source), 5):
    assert source.read(i)["label"] == known[i]
  assert set(known) == {0, 1, 2}


@pytest.mark.parametrize("balance", ["uniform", "inverse", "adaptive"])
def test_balanced_batches_resume_and_divide_over_processes(path, balance):
  chosen = options(path, balance=balance, hflip=True)
  source = folder(chosen, "train", 8)
  seen, images = labels(source, chosen)
  for batch in seen:
    assert len(set(batch.tolist())) == 3
  for other in (
    labels(source, chosen, start=2, num=4),
    labels(source, chosen, start=2, num=4, processes=4),
    labels(pickle.loads(pickle.dumps(source)), chosen, start=2, num=4),
  ):
    np.testing.assert_array_equal(other[0], seen[2:])
    np.testing.assert_array_equal(other[1], images[2:])


def test_inverse_shares_draw_rare_domains_more(path):
  chosen = options(path, balance="inverse")
  source: Any = folder(chosen, "train", 8)
  found: Any = order_of(source, chosen, batch=64, seed=0)
  sizes = np.array([len(x) for x in found.domains])
  np.testing.assert_allclose(found.shares * sizes, (found.shares * sizes)[0])


def test_data_without_classes_cannot_be_balanced(tmp_path):
  for i in range(4):
    Image.new("RGB", (16, 16), (i, i, i)).save(tmp_path / f"{i}.png")
  build.cache_clear()
  with pytest.raises(UserError, match="data.balance"):
    build(options(tmp_path, balance="uniform"), "train", 8)
