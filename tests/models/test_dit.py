"""The transformer on patches."""

import numpy as np

from jaxgen.models.dit import sincos_positions


def test_positions_lie_in_between_at_other_resolutions():
  coarse, fine = (
    sincos_positions((side, side), width=32, base=4) for side in (4, 8)
  )
  assert coarse.shape == (16, 32) and fine.shape == (64, 32)
  assert len(np.unique(np.round(fine, 4), axis=0)) == 64
  middle = fine.reshape(4, 2, 4, 2, 32).mean((1, 3)).reshape(16, 32)
  assert np.abs(middle - coarse).max() < 0.05
