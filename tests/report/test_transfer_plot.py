"""The picture of photon transfer."""

import numpy as np

from jaxgen.report import transfer_plot
from jaxgen.restoration.photon_transfer import fit
from jaxgen.restoration.transfer_bins import Bins


def test_bins_and_line_are_drawn():
  level = np.linspace(100, 500, 9)
  bins = Bins(level, 3 * level + 7, np.full(9, 99), np.full(9, 2))
  picture = transfer_plot.draw(fit(bins), ["gain 3"])
  assert picture.shape == (transfer_plot.HEIGHT, transfer_plot.WIDTH, 3)
  blue = (picture == (0x21, 0x66, 0xAC)).all(-1)
  red = (picture == (0xD6, 0x60, 0x4D)).all(-1)
  assert blue[: transfer_plot.SPLIT].sum() > 9 * 20
  assert blue[transfer_plot.SPLIT :].sum() > 9 * 20
  assert red.any(axis=0).sum() > 500  # from left to right
