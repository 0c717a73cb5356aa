import pickle
from typing import Any

import numpy as np
import pytest
from support.sources import stream

from jaxgen.config.data import DataConfig, Split
from jaxgen.data.textures import textures
from jaxgen.errors import UserError

GRAY = DataConfig(source="textures", channels=1)


def places(image, tile):
  """Where a tile stands in an image, for those few that fit its corner."""
  rows, columns = np.nonzero(image == tile[0, 0])
  size = len(tile)
  return [
    (y, x)
    for y, x in zip(rows, columns, strict=True)
    if np.array_equal(image[y : y + size, x : x + size], tile)
  ]


PARTS: tuple[tuple[Split, int, int], ...] = (
  ("train", 0, 384),
  ("validation", 384, 512),
)


def test_crops_come_from_the_split_s_part_of_the_photograph():
  for split, low, high in PARTS:
    source: Any = textures(GRAY, split, 64)
    rng = stream(0)
    for index in np.linspace(0, len(source) - 1, 9).astype(int):
      tile = source.read(int(index), rng)
      photo, *_ = source.load(int(tile["label"]))
      (place,) = places(photo[..., 0], tile["image"][..., 0])
      assert low <= place[0] and place[0] + 64 <= high


@pytest.mark.parametrize("resolution", [32, 64, 128, 256])
@pytest.mark.parametrize("channels", [1, 3])
def test_elements_have_the_same_shapes_and_types(resolution, channels):
  options = DataConfig(source="textures", channels=channels)
  source = textures(options, "train", resolution)
  for index in (0, len(source) - 1):
    tile = source.read(index, stream(1))
    assert tile["image"].shape == (resolution, resolution, channels)
    assert tile["image"].dtype == np.uint8
    assert tile["label"].dtype == np.int32 and tile["label"].shape == ()
  assert source.label_names == ("brick", "grass", "gravel")


def test_an_epoch_has_some_thousand_crops_of_each_class():
  source = textures(GRAY, "train", 32)
  labels = [int(source.read(i)["label"]) for i in range(len(source))]
  assert 1000 < len(source) < 10000
  assert len(set(np.bincount(labels))) == 1


def test_crop_size_shrinks_the_source():
  options = DataConfig(source="textures", channels=1, crop_size=128)
  half = textures(options, "validation", 64).read(0)["image"].astype(float)
  full = textures(options, "validation", 128).read(0)["image"].astype(float)
  mean = full.reshape(64, 2, 64, 2, 1).mean((1, 3))
  assert np.abs(half - mean).max() <= 1


def test_reading_is_pure_and_survives_pickling():
  source = textures(GRAY, "train", 32)
  copy = pickle.loads(pickle.dumps(source))
  for index in (0, 77):
    one, two = (x.read(index, stream(5)) for x in (source, copy))
    np.testing.assert_array_equal(one["image"], two["image"])
    one["image"][:] = 0  # what is returned belongs to the reader
    three = source.read(index, stream(5))
    np.testing.assert_array_equal(three["image"], two["image"])
  other = source.read(0, stream(6))
  assert not np.array_equal(other["image"], copy.read(0)["image"])


def test_validation_does_not_look_at_the_generator():
  source = textures(GRAY, "validation", 32)
  one = source.read(3, stream(0))["image"]
  np.testing.assert_array_equal(one, source.read(3)["image"])


def test_tiles_that_do_not_fit_are_refused():
  with pytest.raises(UserError, match="256"):
    textures(GRAY, "train", 257)
  whole = DataConfig(source="textures", crop="whole")
  with pytest.raises(UserError, match="data.crop"):
    textures(whole, "train", 32)
  with pytest.raises(IndexError):
    source = textures(GRAY, "train", 32)
    source.read(len(source))
