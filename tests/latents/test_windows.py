"""Places of latents are written and read back."""

import numpy as np
import pytest

from jaxgen.latents.windows import as_arrays, from_arrays
from jaxgen.windows import window_grid

GRIDS = [window_grid(24, 40, side=16, overlap=4), window_grid(16, 16, side=16)]
SIZES = [(48, 80), (16, 16)]
NAMES = ["a"] * len(GRIDS[0]) + ["b"]


def test_what_is_written_is_read():
  found = from_arrays(as_arrays(GRIDS, SIZES), NAMES, 16)
  assert [x.grid for x in found] == GRIDS
  assert [x.size for x in found] == SIZES
  assert [x.name for x in found] == ["a", "b"]


@pytest.mark.parametrize("damage", ["missing", "order", "size", "type", "side"])
def test_windows_that_are_no_image_are_refused(damage):
  arrays, names, side = as_arrays(GRIDS, SIZES), list(NAMES), 16
  if damage == "missing":
    arrays, names = {k: v[1:] for k, v in arrays.items()}, names[1:]
  elif damage == "order":
    arrays["windows"] = np.roll(arrays["windows"], 1, 0)
  elif damage == "size":
    arrays["image_sizes"][0] = 10**6, 10**6
  elif damage == "type":
    arrays["windows"] = arrays["windows"].astype(float)
  else:
    side = 8
  with pytest.raises(ValueError):
    from_arrays(arrays, names, side)
