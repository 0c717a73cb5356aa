import xml.etree.ElementTree as ElementTree

from jaxgen.report import svg

POINTS = [(1.0, 0.5), (10.0, 0.25), (100.0, 0.125)]


def drawing(parts=(), log=(True, False)):
  x, y = svg.fit_axes(POINTS, ("size & cost", "error <1>"), log=log)
  return x, y, ElementTree.fromstring(svg.chart(x, y, parts))


def test_a_chart_is_well_formed_and_escapes_its_titles():
  _, _, root = drawing()
  texts = [x.text for x in root.iter("text")]
  assert "size & cost" in texts and "error <1>" in texts
  assert root.attrib["aria-label"] == "error <1> against size & cost"


def test_axes_contain_every_point_and_y_points_up():
  x, y, _ = drawing()
  for a, b in POINTS:
    assert svg.LEFT <= x.at(a) <= svg.WIDTH - svg.RIGHT
    assert svg.TOP <= y.at(b) <= svg.HEIGHT - svg.BOTTOM
  assert y.at(0.5) < y.at(0.125)
  steps = [x.at(b) - x.at(a) for a, b in ((1, 10), (10, 100))]
  assert abs(steps[0] - steps[1]) < 1e-6  # logarithmic


def test_elements_are_where_they_are_put():
  parts = [
    svg.line([(80, 20), (100, 40)], stroke="#000", title="a < b"),
    svg.dot(90, 30, r=4, fill="#111"),
    svg.bar(100, 50, width=10, height=20, fill="#222", opacity=0.5),
    svg.ring(90, 30),
  ]
  _, _, root = drawing(parts)
  (line,) = root.iter("polyline")
  assert line.attrib["points"] == "80.0,20.0 100.0,40.0"
  assert line.findtext("title") == "a < b"
  assert [x.attrib["r"] for x in root.iter("circle")] == ["4", "9"]
  (bar,) = root.iter("rect")
  assert (bar.attrib["width"], bar.attrib["opacity"]) == ("10.0", "0.5")


def test_labels_do_not_overlap_and_are_cut():
  taken = []
  first, second = (
    ElementTree.fromstring(svg.label(name, 200, 100, taken=taken))
    for name in ("one", "x" * 40)
  )
  gap = float(second.attrib["y"]) - float(first.attrib["y"])
  assert gap >= 13 and len(second.text or "") == 30
  right = ElementTree.fromstring(svg.label("far", 500, 300, taken=taken))
  assert right.attrib["text-anchor"] == "end"
