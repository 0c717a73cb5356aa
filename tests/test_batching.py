"""Batching of any number of images into batches of one size."""

import numpy as np
import pytest

from jaxgen.batching import map_batches, padded_batches

TILES = {"image": np.arange(7)[:, None], "label": np.arange(7) % 3}


@pytest.mark.parametrize("size", [1, 3, 7, 10])
def test_every_image_is_valid_once_and_batches_are_whole(size):
  batches = padded_batches(TILES, size)
  assert {len(part["image"]) for part, _ in batches} == {size}
  for name in TILES:
    valid = [part[name][mask == 1] for part, mask in batches]
    np.testing.assert_array_equal(np.concatenate(valid), TILES[name])


def test_the_last_batch_is_filled_up_with_its_first_image():
  part, mask = padded_batches(TILES, 5)[-1]
  assert part["image"][:, 0].tolist() == [5, 6, 5, 5, 5]
  assert mask.tolist() == [1, 1, 0, 0, 0]


@pytest.mark.parametrize("batch", [2, 7, 9])
def test_batches_change_nothing_about_the_result(batch):
  shapes = set()

  def encode(images):
    shapes.add(images.shape)
    return 2 * images

  found = map_batches(encode, TILES["image"], batch, label="encoding")
  np.testing.assert_array_equal(found, 2 * TILES["image"])
  assert shapes == {(batch, 1)}
