"""The preparation of floor plans: colors that do not tell classes."""

import numpy as np
from prepare_layouts import LEVELS, with_random_colors

CLASSES, ROOMS = 8, 4000


def test_a_random_color_tells_nothing_of_its_class():
  """Over many rooms every class has every color equally often; within a room
  each has its own."""
  labels = np.arange(CLASSES, dtype=np.uint8)[None]
  rooms = np.stack(
    [with_random_colors(labels, f"room_{i}")[0] for i in range(ROOMS)]
  )
  index = np.searchsorted(LEVELS, rooms) @ (9, 3, 1)
  assert all(len(set(x)) == CLASSES for x in index)
  num = len(LEVELS) ** 3
  counts = np.stack([np.bincount(x, minlength=num) for x in index.T])
  expected = ROOMS / num
  chi_squared = ((counts - expected) ** 2 / expected).sum(1)
  spread = np.sqrt(2 * (num - 1))
  assert np.abs(chi_squared - (num - 1)).max() < 5 * spread
  again = with_random_colors(labels, "room_7")[0]
  np.testing.assert_array_equal(again, rooms[7])


def test_pixels_without_a_label_are_black():
  labels = np.array([[255, 0]], np.uint8)
  found = with_random_colors(labels, "room")
  assert not found[0, 0].any() and found[0, 1].any()
