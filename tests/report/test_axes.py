"""Axes have round ticks and contain their values."""

import pytest

from jaxgen.report import axes


def test_ticks_are_round_and_inside():
  assert axes.ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1]
  assert axes.ticks(-0.03, 0.31) == [0, 0.1, 0.2, 0.3]
  for low, high in ((3.2, 3.9), (-7e-5, 2e-5), (1e6, 9e6)):
    found = axes.ticks(low, high)
    assert 2 <= len(found) <= 8
    assert all(low <= x <= high * (1 + 1e-9) for x in found)


@pytest.mark.parametrize("log", [False, True])
def test_axes_are_monotone_and_hold_their_values(log):
  values = [3.0, 10.0, 200.0]
  axis = axes.fit_axis("x", values, begin=50, end=450, log=log)
  places = [axis.at(v) for v in values]
  assert 50 < places[0] < places[1] < places[2] < 450
  middle = (3 * 200) ** 0.5 if log else 203 / 2
  assert axis.at(middle) == pytest.approx(250)
  assert axes.fit_axis("x", [5.0, 5.0], begin=0, end=100, log=log).at(5) > 0
  assert not axes.fit_axis("x", [0.0, 1.0], begin=0, end=100, log=True).log
