"""The page on restored images."""

import numpy as np

from jaxgen.report import restoration_page
from jaxgen.sample.exposure import White
from jaxgen.sample.restored import Restoration


def restored(std):
  mean = np.random.default_rng(0).uniform(0, 9, std.shape)
  return Restoration(
    mean=mean,
    std=std,
    samples=None,
    white=White(10.0, ""),
    std_factor=1.0,
    checks=(),
    choice=None,
    calls=1,
    seconds=0.0,
  )


def test_unknown_deviations_are_not_drawn_as_small_ones():
  std = np.ones((1, 8, 8, 1), np.float32)
  std[0, :4], std[0, 4:, :4] = np.nan, 0
  cells = restoration_page.cells(std, restored(std), 0)
  shown = cells["std (0 to largest)"]
  side = shown.shape[0] // 2
  assert (shown[:side] == restoration_page.UNKNOWN).all()
  assert (shown[side:, :side] == 0).all() and (shown[side:, side:] == 255).all()
  known = restoration_page.cells(std, restored(np.ones_like(std)), 0)
  assert (known["std (0 to largest)"] == 255).all()
