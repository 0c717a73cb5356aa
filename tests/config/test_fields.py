"""Types of config fields, and errors of sections."""

from typing import Annotated, Any, Literal, Optional

import numpy as np
import pytest

from jaxgen.config import fields
from jaxgen.config.fields import (
  ClosedUnit,
  Finite,
  NonNegative,
  NonNegativeInt,
  OpenUnit,
  Positive,
  PositiveInt,
  Seed,
  UnitInterval,
  section,
)
from jaxgen.errors import UserError

NAN, INF = float("nan"), float("inf")


@section("toy")
class Toy:
  """A section with a field of each type."""

  count: PositiveInt = 1
  """How many."""
  size: NonNegativeInt = 0
  seed: Seed = 0
  rate: Positive = 1.0
  weight: NonNegative = 0.0
  share: UnitInterval = 0.0
  part: OpenUnit = 0.5
  whole: ClosedUnit = 1.0
  flag: bool = False
  word: Literal["a", "b"] = "a"
  pair: tuple[Finite, Finite] = (0.0, 1.0)
  many: tuple[PositiveInt, ...] = ()
  text: str = ""


@pytest.mark.parametrize(
  ("field", "good", "bad"),
  [
    ("count", (1, 2**32 - 1), (0, 2**32, -1, 1.0, True, "1", None)),
    ("size", (0, 7), (-1, 0.5, False)),
    ("seed", (0, 2**32 - 1), (-1, 2**32)),
    ("rate", (1e-9, 3, 7.5), (0, -1.0, NAN, INF, "x", True, 10**400)),
    ("weight", (0, 2.5), (-1e-9, NAN, INF, None)),
    ("share", (0, 0.999), (1, -0.01, NAN)),
    ("part", (0.001, 0.999), (0, 1, 0.0, 1.0)),
    ("whole", (0, 1, 0.5), (-0.1, 1.1, NAN)),
    ("flag", (True, False), (0, 1, "True", None)),
    ("word", ("a", "b"), ("c", "", None, 1)),
    ("pair", ((0, 1), (3.5, -1.0)), ((1.0,), (1, 2, 3), 5, (1, "x"), [0, 1])),
    ("many", ((), (1, 2)), ((0,), (1.0,), 4, [1])),
    ("text", ("", "x"), (1, None, ("a",))),
  ],
)
def test_a_value_is_taken_or_refused_by_its_name(field, good, bad):
  for value in good:
    assert getattr(Toy(**{field: value}), field) == value
  for value in bad:
    with pytest.raises(UserError) as error:
      Toy(**{field: value})
    text = str(error.value)
    assert text.startswith(f"toy.{field}={value!r}: expected ")
    assert "\n" not in text and text.endswith(".")


ANY: Any = Toy


def test_unknown_and_missing_fields_are_named():
  with pytest.raises(UserError, match="toy.colour"):
    ANY(colour=1)
  with pytest.raises(UserError, match=r"toy\.wight.*\bweight\b"):
    ANY(wight=1.0)  # the near miss is in the message

  @section("strict")
  class Strict:
    must: int

  with pytest.raises(UserError, match="strict.must"):
    Strict()  # pyright: ignore


def test_a_section_cannot_be_changed_and_takes_no_positions():
  toy = ANY(count=2)
  with pytest.raises(AttributeError):
    toy.count = 3
  with pytest.raises(TypeError):
    ANY(2)


def test_the_error_of_a_check_across_fields_is_kept():
  @section("pair")
  class Pair:
    low: int = 0
    high: int = 1

    def __post_init__(self):
      if self.low > self.high:
        raise UserError(f"pair.low={self.low}")

  with pytest.raises(UserError, match="^pair.low=2$"):
    Pair(low=2)


@pytest.mark.parametrize(
  ("field", "value", "kind"),
  [
    ("count", np.int64(3), int),
    ("size", np.uint8(3), int),
    ("rate", np.float32(2), float),
    ("rate", np.float64(2), float),
    ("rate", np.int32(2), float),
    ("part", np.float16(0.5), float),
  ],
)
def test_numpy_s_numbers_are_numbers(field, value, kind):
  found = getattr(Toy(**{field: value}), field)
  assert found == value and type(found) is kind
  pair = ANY(pair=(np.float32(0), np.int64(1)), many=(np.int64(2),))
  assert {type(x) for x in pair.pair} == {float}
  assert {type(x) for x in pair.many} == {int}


@pytest.mark.parametrize("bad", [np.float64(3), np.bool_(True), 10**400])
def test_other_numbers_are_no_integers(bad):
  with pytest.raises(UserError, match="toy.count"):
    Toy(count=bad)


def test_what_is_given_as_an_argument_is_checked_by_its_name():
  fields.check_value("num", PositiveInt, 3)
  fields.check_value("num", PositiveInt, np.int64(3))
  for bad in (0, 1.0, None, "3"):
    with pytest.raises(UserError, match="^num="):
      fields.check_value("num", PositiveInt, bad)


def test_types_and_comments_are_read_from_the_class():
  assert fields.field_types(Toy)["text"] is str
  assert fields.field_comments(Toy)["count"] == "How many."
  assert fields.field_defaults(Toy)["pair"] == (0.0, 1.0)


@pytest.mark.parametrize(
  ("expected", "words"),
  [
    (int, "an integer"),
    (PositiveInt, "an integer >= 1"),
    (Positive, "a number > 0"),
    (UnitInterval, "a number in [0, 1)"),
    (Literal["a", "b"], "one of a, b"),
    (tuple[PositiveInt, ...], "a tuple, each an integer >= 1"),
    (tuple[Finite, Finite], "a tuple of 2, each a number"),
    (Optional[Annotated[float, "a note"]], "a number"),  # noqa: UP045
  ],
)
def test_types_in_words(expected, words):
  assert fields.describe(expected) == words
