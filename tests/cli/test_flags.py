"""Flags, and their names in errors."""

import argparse

import pytest

from jaxgen.cli.flags import as_flags, byte_size, integer, window

GIVEN = argparse.Namespace(
  method="prior", guidance=2.0, weights="a=1", num=4, eta=None, video=False
)


@pytest.mark.parametrize(
  ("message", "named"),
  [
    ("method='prior': expected a", "--method='prior': expected a"),
    ("guidance and weights: a=1", "--guidance and --weights: a=1"),
    ("guidance and eta: a", "guidance and eta: a"),
    ("eta=2: expected a", "eta=2: expected a"),
    ("data.num=2: expected a", "data.num=2: expected a"),
    ("--num=2: expected a", "--num=2: expected a"),
    ("runs/method: no run", "runs/method: no run"),
    ("no colon", "no colon"),
  ],
)
def test_only_given_arguments_are_named_as_flags(message, named):
  assert as_flags(message, GIVEN) == named


@pytest.mark.parametrize(
  "text", ["9" * 400, "9" * 5000, "1e400", "0", "", "9" * 12 + "TiB", "1.2.3"]
)
@pytest.mark.parametrize("parse", [byte_size, integer(1)])
def test_numbers_beyond_all_bounds_are_refused_on_a_short_line(parse, text):
  with pytest.raises(argparse.ArgumentTypeError) as refused:
    parse(text)
  assert len(str(refused.value)) < 80


@pytest.mark.parametrize("text", ["", "3", "3,", ",3", "0,1", "1,0", "1,2,3"])
def test_a_window_of_steps_is_two_integers(text):
  assert window("3,5") == (3, 5)
  with pytest.raises(argparse.ArgumentTypeError):
    window(text)
