"""Tiles with small images of them."""

import pickle
from typing import Any

import numpy as np
import pytest

from jaxgen import bicubic
from jaxgen.config.data import DataConfig
from jaxgen.data import sources
from jaxgen.data.degraded import LOW, DegradedSource
from jaxgen.data.streams import streams


def source(factor: Any = 2, **options) -> Any:
  config = DataConfig(num_tiles=32, factor=factor, channels=1, **options)
  return sources.build(config, "train", 24)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_the_small_image_is_the_reduction_of_its_tile(factor):
  """Of the tile as it was turned and flipped."""
  tiles = source(factor, flips=True, rot90=True)
  assert isinstance(tiles, DegradedSource)
  for k in range(4):
    tile = tiles.read(k, streams(0, k, num=1)[0])
    assert tile[LOW].shape == (24 // factor, 24 // factor, 1)
    np.testing.assert_array_equal(
      tile[LOW], bicubic.reduce(tile["image"], factor)
    )


@pytest.mark.parametrize("degradation", ["bicubic", "realistic"])
def test_a_batch_has_the_tiles_that_are_read_alone(degradation):
  """Also in another process, with and without random streams."""
  made = source(flips=True, degradation=degradation)
  tiles = pickle.loads(pickle.dumps(made))
  indices = np.asarray([3, 1, 7])
  for drawn in (False, True):
    batch = tiles.read_batch(indices, streams(0, 0, num=3) if drawn else None)
    for i, index in enumerate(indices):
      rng = streams(0, i, num=1)[0] if drawn else None
      alone = tiles.read(int(index), rng)
      for name in ("image", LOW):
        np.testing.assert_array_equal(batch[name][i], alone[name])


def test_the_degradation_is_in_the_fingerprint():
  found = {source(f).fingerprint for f in (2, 3, 4)}
  assert len({*found, source(2, degradation="realistic").fingerprint}) == 4


def test_a_degradation_is_given_keys_of_its_own():
  keys = []
  plain = source()
  tiles = DegradedSource(
    source=plain.source,
    degrade=lambda image, key: keys.append(key) or image,
    name="noted",
  )
  for k in range(8):
    tiles.read(0, streams(0, k, num=1)[0])
  assert len(set(keys)) == 8
  tiles.read(5)
  assert keys[-1] == 5
