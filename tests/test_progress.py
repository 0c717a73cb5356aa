"""Loops report themselves to the display that is set, if any."""

import contextlib

import pytest

from jaxgen import progress


@pytest.fixture
def shown():
  """The loops at each report, as (label, done), and a clock set by hand."""
  seen, now = [], [0.0]

  def display(loops):
    seen.append([(loop.label, loop.done) for loop in loops])

  with progress.displayed(display, clock=lambda: now[0]):
    yield seen, now


def test_without_a_display_loops_are_silent(capsys):
  with progress.loop("a", 3) as advance:
    advance()
    advance(num=2)
  assert list(progress.each("b", [1, 2])) == [1, 2]
  assert capsys.readouterr() == ("", "")


def test_every_change_is_reported_from_the_outermost_loop_on(shown):
  seen, _ = shown
  with progress.loop("outer", 2) as advance:
    assert list(progress.each("inner", "xy")) == ["x", "y"]
    advance()
  inner = [("inner", 0), ("inner", 1), ("inner", 2)]
  assert seen == [
    [("outer", 0)],
    *([("outer", 0), x] for x in inner),
    [("outer", 0)],
    [("outer", 1)],
    [],
  ]


def test_padding_is_not_counted(shown):
  seen, _ = shown
  with progress.loop("a", 5) as advance:
    advance(4)
    advance(4)
  assert [x[0][1] for x in seen[:-1]] == [0, 4, 5]


def test_an_error_ends_its_loops(shown):
  seen, _ = shown
  with contextlib.suppress(KeyError), progress.loop("a", 5):
    raise KeyError
  assert seen[-1] == []


def test_the_display_is_cleared_at_the_end():
  seen = []
  with progress.displayed(seen.append):
    reported = progress.each("a", [1, 2])
    next(reported)  # and never ends
  assert seen[-1] == ()


def test_the_time_left_leaves_out_the_first_report():
  loop = progress.Loop(label="a", total=10, unit="images", start=100.0)
  assert loop.left(150.0) is None
  loop.advance(2, 160.0)  # a minute, with compilation
  assert loop.left(160.0) == 240
  loop.advance(2, 164.0)  # then two seconds for each item
  assert loop.left(164.0) == 12 and loop.left(169.0) == 7
  assert loop.left(999.0) == 0
  loop.advance(6, 176.0)
  assert loop.left(176.0) is None


def test_an_operation_of_unknown_length_has_no_time_left():
  loop = progress.Loop(label="a", total=0, unit="images", start=0.0)
  loop.advance(1, 5.0)
  assert loop.left(5.0) is None
