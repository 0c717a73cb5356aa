"""Labeled pictures: every image is shown, apart, below its label."""

import numpy as np
import pytest

from jaxgen import pictures


def flat(value, side=64, channels=1, wide=None):
  return np.full((side, wide or side, channels), value, np.uint8)


@pytest.mark.parametrize(
  "draw", [pictures.labeled_rows, pictures.labeled_columns]
)
def test_every_image_is_shown_with_a_gap(draw):
  tiles = [np.full((64, 64, 3), (x, 0, 99), np.uint8) for x in range(6)]
  picture = draw({"a": tiles[:3], "b": tiles[3:]})
  assert picture.dtype == np.uint8 and picture.shape[2] == 3
  for tile in tiles:
    rows, columns = np.nonzero((picture == tile[0, 0]).all(-1))
    top, left = rows[0], columns[0]
    assert len(rows) == 64 * 64
    around = picture[top - 6 : top + 70, left - 6 : left + 70]
    around = around.copy()
    around[6:70, 6:70] = 215
    assert (around == 215).mean() > 0.95  # but for letters of a label


def test_rows_and_columns_are_labeled():
  blank = {"original": [flat(215)], "result": [flat(215)]}
  for draw in (pictures.labeled_rows, pictures.labeled_columns):
    assert (draw(blank) < 100).any()
    other = draw({"original": [flat(215)], "results": [flat(215)]})
    assert not np.array_equal(draw(blank), other)


def test_images_of_different_sizes_and_types_share_a_picture():
  deep = np.full((32, 96, 3), 40 * 257, np.uint16)
  real = np.full((300, 100, 1), -1, np.float32)
  picture = pictures.labeled_columns({"a": [flat(90), deep], "b": [real, real]})
  assert (picture == 40).all(-1).sum() == 32 * 96
  assert (picture == 0).all(-1).sum() >= 2 * 160 * 53
  lines = pictures.labeled_rows({"a": [flat(90), deep, real]}, columns=2)
  assert lines.shape[0] > 64 + 160


@pytest.mark.parametrize(
  ("size", "expected"),
  [((16, 16), (64, 64)), ((48, 20), (96, 40)), ((640, 320), (160, 80))],
)
def test_images_are_shown_at_a_size_that_can_be_seen(size, expected):
  assert pictures.shown(np.zeros((*size, 3), np.uint8)).shape[:2] == expected


def test_a_long_label_is_not_cut():
  label = "a label that is much longer than its only image is wide"
  assert pictures.labeled_rows({label: [flat(0)]}).shape[1] > 300
