"""Windows cover an image and give it back."""

import numpy as np
import pytest

from jaxgen.images import as_uint8
from jaxgen.windows import WindowGrid, places, ramp, window_grid

RNG = np.random.default_rng(0)
SIZES = [(16, 16), (17, 16), (24, 40), (53, 91)]


def test_an_image_is_covered_with_the_fewest_windows():
  for width, want in ((16, 1), (17, 2), (24, 2), (25, 3), (64, 7)):
    assert len(places(width, 16, 8)) == want


@pytest.mark.parametrize("overlap", [0, 4, 15])
@pytest.mark.parametrize("size", SIZES)
def test_windows_that_are_not_changed_give_the_image_exactly(size, overlap):
  image = RNG.integers(0, 256, (*size, 3)).astype(np.uint8)
  x = (image / np.float32(127.5) - 1).astype(np.float32)
  grid = window_grid(size[0], size[1], side=16, overlap=overlap)
  windows = list(grid.cut(x))
  assert len(windows) == len(grid) == len(grid.places)
  assert {w.shape for w in windows} == {(16, 16, 3)}
  np.testing.assert_array_equal(grid.assemble(windows, finish=as_uint8), image)


def test_a_single_window_is_the_image_bit_for_bit():
  grid = window_grid(16, 16, side=16, overlap=4)
  x = RNG.normal(size=(16, 16, 2)).astype(np.float32)
  np.testing.assert_array_equal(grid.assemble([x], finish=np.asarray), x)


def test_the_average_is_that_of_the_weights():
  """As computed directly, on the whole canvas at once."""
  grid = window_grid(24, 40, side=16, overlap=6)
  windows = RNG.normal(size=(len(grid), 16, 16, 1)).astype(np.float32)
  total, coverage = np.zeros((24, 40, 1)), np.zeros((24, 40, 1))
  weight = np.outer(ramp(16), ramp(16))[..., None]
  for (top, left), window in zip(grid.places, windows, strict=True):
    area = np.s_[top : top + 16, left : left + 16]
    total[area] += weight * window
    coverage[area] += weight
  found = grid.assemble(iter(windows), finish=np.asarray)
  np.testing.assert_allclose(found, total / coverage, atol=1e-5)


def test_there_is_no_step_at_the_edge_of_a_window():
  grid = window_grid(16, 64, side=16, overlap=8)
  tilted = np.broadcast_to(np.linspace(-1, 1, 16)[:, None], (16, 16, 1))
  image = grid.assemble([tilted] * len(grid), finish=np.asarray)
  assert np.abs(np.diff(image[0, :, 0])).max() < 2.5 * 2 / 15


@pytest.mark.parametrize("missing", [1, 3])
def test_missing_windows_are_an_error(missing):
  grid = window_grid(24, 24, side=16, overlap=8)
  windows = [np.zeros((16, 16, 1), np.float32)] * (len(grid) - missing)
  with pytest.raises(ValueError, match="shorter"):
    grid.assemble(windows, finish=np.asarray)


@pytest.mark.parametrize("rows", [(), (0, 4), (4, 8), (0, 20), (0, 8, 8)])
def test_windows_that_do_not_cover_an_image_are_refused(rows):
  with pytest.raises(ValueError, match="cover 24 x 16"):
    WindowGrid(height=24, width=16, side=16, rows=rows, columns=(0,))
