"""Types of config fields, and the decorator of sections.

    @section("train")
    class TrainConfig:
      log_images: NonNegativeInt = 2_000
      '''Images between two rows of metrics.'''

A section is a frozen, keyword-only pydantic dataclass. A value of the wrong
type or out of range raises an error that names the field and what was expected,
whether it comes from a config file, the command line, a saved run or Python.
Type, range, default and description of a field are defined once, here; the
defaults of config files and `docs/config.md` are derived from them.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import numbers
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar, dataclass_transform

import annotated_types
import pydantic
import pydantic.dataclasses
from pydantic import BeforeValidator, Field

from jaxgen.errors import UserError

LIMIT = 2**32  # images and seeds are counted in 32 bits


def _python_int(value: Any) -> Any:
  """NumPy integers as Python ints; anything else unchanged."""
  integral = isinstance(value, numbers.Integral)
  return int(value) if integral and not isinstance(value, bool) else value


def _python_float(value: Any) -> Any:
  """Real numbers of any library as Python floats; others unchanged."""
  real = isinstance(value, numbers.Real) and not isinstance(value, int)
  return float(value) if real else value


Int = Annotated[int, BeforeValidator(_python_int)]
Float = Annotated[float, BeforeValidator(_python_float)]
PositiveInt = Annotated[Int, Field(ge=1, lt=LIMIT)]
NonNegativeInt = Annotated[Int, Field(ge=0, lt=LIMIT)]
Seed = NonNegativeInt
Finite = Annotated[Float, Field(allow_inf_nan=False)]
Positive = Annotated[Float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[Float, Field(ge=0, allow_inf_nan=False)]
ClosedUnit = Annotated[Float, Field(ge=0, le=1)]  # [0, 1]
UnitInterval = Annotated[Float, Field(ge=0, lt=1)]  # [0, 1)
OpenUnit = Annotated[Float, Field(gt=0, lt=1)]  # (0, 1)

T = TypeVar("T")
_STRICT = pydantic.ConfigDict(
  strict=True, extra="forbid", use_attribute_docstrings=True
)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def section(name: str) -> Callable[[type[T]], type[T]]:
  """A class decorator for the section `name` of a config.

  The class raises a UserError for unknown fields and invalid values; checks
  across fields belong in its `__post_init__`.
  """

  def make(cls: type[T]) -> type[T]:
    made: Any = pydantic.dataclasses.dataclass(
      frozen=True, kw_only=True, config=_STRICT
    )(cls)
    made.section = name
    made.__init__ = _named_errors(made.__init__, made)
    return made

  return make


def _named_errors(init: Callable, cls: Any) -> Callable:
  @functools.wraps(init)
  def checked(self: Any, **values: Any) -> None:
    try:
      init(self, **values)
    except pydantic.ValidationError as e:
      raise UserError(_explain(cls, values, e)) from None

  return checked


def _explain(
  cls: Any, values: Mapping[str, Any], error: pydantic.ValidationError
) -> str:
  """A message with the first invalid field, its value and what was expected."""
  name = str(error.errors()[0]["loc"][0])
  known = field_types(cls)
  if name not in known:
    return unknown_field(name, known, prefix=f"{cls.section}.")
  if name not in values:
    return f"{cls.section}.{name}: missing; expected {describe(known[name])}."
  given = f"{cls.section}.{name}={values[name]!r}"
  return f"{given}: expected {describe(known[name])}."


def near_miss(name: str, known: Iterable[str]) -> str:
  """A hint with the known names closest to `name`; empty if there are none."""
  fields = {x.rpartition(".")[2]: x for x in known}
  field = name.rpartition(".")[2]
  near = difflib.get_close_matches(field, fields, n=3, cutoff=0.6)
  return (
    f" Did you mean {' or '.join(fields[x] for x in near)}?" if near else ""
  )


def unknown_field(
  name: str, known: Collection[str], *, prefix: str = ""
) -> str:
  """The message for a field, or `section.field`, that is not in `known`: with
  the closest names, or else with all fields of the section."""
  section = name.rpartition(".")[0]
  fields = [x for x in known if x.rpartition(".")[0] == section]
  names = ", ".join(x.rpartition(".")[2] for x in fields)
  hint = near_miss(name, fields if section and fields else known)
  whole = fields and (section or len(fields) == len(known))
  listed = f" Expected one of {names}." if whole else ""
  return f"{prefix}{name}: no such field.{hint or listed}"


def field_types(cls: Any) -> dict[str, Any]:
  """The annotated type of each field of a section, by name."""
  hints = typing.get_type_hints(cls, include_extras=True)
  return {x.name: hints[x.name] for x in dataclasses.fields(cls)}


def field_comments(cls: Any) -> dict[str, str]:
  """The description of each field of a section, by name, on one line."""
  comments: dict[str, str] = {}
  for base in reversed(cls.__mro__):
    for name, field in getattr(base, "__pydantic_fields__", {}).items():
      text = " ".join((field.description or "").split())
      comments[name] = text or comments.get(name, "")
  return comments


def field_defaults(cls: Any) -> dict[str, Any]:
  """The default of each field of a section, by name."""
  return {x.name: x.default for x in dataclasses.fields(cls)}


def check_value(name: str, expected: Any, value: Any) -> None:
  """Raise a UserError unless a flag or an argument has the expected type."""
  try:
    _adapter(expected).validate_python(value)
  except pydantic.ValidationError:
    message = f"{name}={value!r}: expected {describe(expected)}."
    raise UserError(message) from None


@functools.cache
def _adapter(expected: Any) -> pydantic.TypeAdapter:
  return pydantic.TypeAdapter(expected, config=pydantic.ConfigDict(strict=True))


_NAMES = {
  int: "an integer",
  float: "a number",
  bool: "True or False",
  str: "a string",
}


def describe(expected: Any) -> str:
  """A type in words, such as "an integer >= 1"."""
  origin, parts = typing.get_origin(expected), typing.get_args(expected)
  if origin is Annotated:
    return f"{describe(parts[0])}{_bounds(parts[1:])}"
  if origin is Literal:
    return f"one of {', '.join(str(x) or repr(x) for x in parts)}"
  if origin is tuple and parts[-1] is ...:
    return f"a tuple, each {describe(parts[0])}"
  if origin is tuple:
    return f"a tuple of {len(parts)}, each {describe(parts[0])}"
  if origin is Mapping:
    keys, values = map(describe, parts)
    of_values = "" if parts[1] is Any else f" to {values.removeprefix('a ')}"
    return f"a dict of {keys.removeprefix('a ')}s{of_values}"
  if origin in (types.UnionType, typing.Union):  # X | None
    return describe(parts[0])
  return _NAMES.get(expected, getattr(expected, "__name__", str(expected)))


def _bounds(metadata: tuple[Any, ...]) -> str:
  """The range of a number: " >= 1", " in [0, 1)", or empty."""
  rules = [x for part in metadata for x in getattr(part, "metadata", (part,))]
  low = high = None
  for rule in rules:
    if isinstance(rule, annotated_types.Ge):
      low = f">= {rule.ge}", f"[{rule.ge}"
    if isinstance(rule, annotated_types.Gt):
      low = f"> {rule.gt}", f"({rule.gt}"
    if isinstance(rule, annotated_types.Le):
      high = f"<= {rule.le}", f"{rule.le}]"
    if isinstance(rule, annotated_types.Lt) and rule.lt != LIMIT:
      high = f"< {rule.lt}", f"{rule.lt})"
  if low and high:
    return f" in {low[1]}, {high[1]}"
  bound = low or high
  return f" {bound[0]}" if bound else ""
