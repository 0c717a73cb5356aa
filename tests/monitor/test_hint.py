import pytest

from jaxgen.monitor.hint import notes


def rows(*scored):
  """Rows of a run, without a gap where it is None."""
  gap = "validation/hint_gap"
  return [
    {"images": images} if x is None else {"images": images, gap: x}
    for images, x in scored
  ]


def test_a_small_gap_is_noted_with_its_place():
  (note,) = notes(rows((0, 0.0), (250, 0.004), (300, None)), 1000)
  assert "validation/hint_gap=0.004 after 25%" in note


@pytest.mark.parametrize(
  "scored",
  [
    [],
    [(250, None)],
    [(100, 0.004)],  # early
    [(250, 0.05)],
    [(250, 0.004), (500, 0.05)],  # it is used by now
    [(250, float("nan")), (500, 0.05)],
  ],
)
def test_else_nothing_is_said(scored):
  assert notes(rows(*scored), 1000) == ()
  assert notes(rows(*scored), 0) == ()


def test_a_hint_that_is_no_longer_used_is_noted():
  assert notes(rows((250, 0.05), (500, 0.001)), 1000)
