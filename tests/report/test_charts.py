"""Charts and pages: what they draw is where it should be, and escaped."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from jaxgen.report import charts, html
from jaxgen.report.charts import Series

HOSTILE = "<script>alert('x')</script>&\"'"


def test_ticks_are_round_and_inside():
  assert charts.ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1]
  assert charts.ticks(-0.03, 0.31) == [0, 0.1, 0.2, 0.3]
  for low, high in ((3.2, 3.9), (-7e-5, 2e-5), (1e6, 9e6)):
    found = charts.ticks(low, high)
    assert 2 <= len(found) <= 8
    assert all(low <= x <= high * (1 + 1e-9) for x in found)


@pytest.mark.parametrize("log", [False, True])
def test_axes_are_monotone_and_hold_their_values(log):
  values = [3.0, 10.0, 200.0]
  axis = charts.axis("x", values, 50, 450, log=log)
  places = [axis.at(v) for v in values]
  assert 50 < places[0] < places[1] < places[2] < 450
  middle = (3 * 200) ** 0.5 if log else 203 / 2
  assert axis.at(middle) == pytest.approx(250)
  assert charts.axis("x", [5.0, 5.0], 0, 100, log=log).at(5) > 0
  assert not charts.axis("x", [0.0, 1.0], 0, 100, log=True).log


def test_the_frontier_is_what_nothing_beats():
  points = [(1, 5), (2, 4), (2, 6), (4, 1), (5, 2)]  # cost, error
  down = charts.frontier(points, up=(False, False))
  assert [points[i] for i in down] == [(1, 5), (2, 4), (4, 1)]
  up = charts.frontier(points, up=(True, True))
  assert [points[i] for i in up] == [(2, 6), (5, 2)]


def names(svg):
  return [x.text for x in ET.fromstring(svg).iter("text")]


def test_charts_are_sound_xml_and_escape_names():
  two = [
    Series(name=HOSTILE, points=[(1.0, 2.0), (3.0, 4.0)], number=0),
    Series(name="b", points=[(16.0, 3.0)], number=13),
  ]
  titles = "a < b", "c & d"
  for svg in (
    charts.scatter(two, titles, marked="b"),
    charts.lines(two, titles, log=(True, True)),
    charts.spans([(0.0, 1.0), (2.0, 0.5)], titles, 1),
  ):
    assert {"a < b", "c & d"} <= set(names(svg))
    assert "<script" not in svg and "NaN" not in svg
  assert len(re.findall("class='ring'", charts.scatter(two, titles))) == 0
  marked = charts.scatter(two, titles, marked="b")
  assert len(re.findall("class='ring'", marked)) == 1


def test_names_of_near_points_do_not_hide_each_other():
  near = [Series(name=f"r{i}", points=[(1.0, 1.0)], number=i) for i in range(5)]
  svg = ET.fromstring(charts.scatter(near, ("x", "y")))
  found = [x for x in svg.iter("text") if x.text in {"r0", "r1", "r2", "r3"}]
  places = sorted(float(x.get("y", "")) for x in found)
  assert min(np.diff(places)) >= 12


def test_a_page_escapes_what_it_is_given(tmp_path):
  cells = [[html.Cell(text=HOSTILE, value=HOSTILE, interval=HOSTILE)]]
  picture = np.zeros((2, 2, 3), np.uint8)
  parts = [
    html.table([HOSTILE], cells, sorts=True),
    html.paragraph(HOSTILE, "soft"),
    html.figure(picture, HOSTILE),
  ]
  path = tmp_path / "page.html"
  html.write(path, HOSTILE, parts)
  found = path.read_text()
  assert found.count("<script") == 1 and "alert('x')" not in found
  assert found.count("data:image/png;base64,") == 1
