"""Charts are valid SVG with escaped names."""

import re
import xml.etree.ElementTree as ET

import numpy as np

from jaxgen.report import charts
from jaxgen.report.charts import Series

HOSTILE = "<script>alert('x')</script>&\"'"


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
