"""Options whose types say what is allowed, checked in one place.

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class TrainOptions(Options, section="train"):
      log_images: Count
      on_nan: Literal["stop", "skip"]

    TrainOptions.read(config.train)

A value of the wrong type or out of its range is refused by its name in the
config, with what is allowed, wherever it comes from: a config file, the command
line, a saved run, Python.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from jaxgen.errors import UserError


@dataclasses.dataclass(frozen=True)
class Range:
  """Finite numbers from `low` to `high`; `above`, `below`: without that end."""

  low: float
  high: float = math.inf
  above: bool = False
  below: bool = False

  def __contains__(self, x: float) -> bool:
    over = x > self.low if self.above else x >= self.low
    under = x < self.high if self.below else x <= self.high
    return over and under and abs(x) < math.inf

  def __str__(self) -> str:
    over = f"{'more than' if self.above else 'at least'} {self.low}"
    if self.high == math.inf:
      return over
    return f"{over} and {'less than' if self.below else 'at most'} {self.high}"


PositiveInt = Annotated[int, Range(1, 2**32 - 1)]
NonNegativeInt = Annotated[int, Range(0, 2**32 - 1)]
Seed = Annotated[int, Range(0, 2**32 - 1)]
Positive = Annotated[float, Range(0, above=True)]
NonNegative = Annotated[float, Range(0)]
UnitInterval = Annotated[float, Range(0, 1, below=True)]  # [0, 1)
OpenUnit = Annotated[float, Range(0, 1, above=True, below=True)]  # (0, 1)


class Options:
  """Base of the dataclasses that hold one section of a config."""

  section: ClassVar[str]

  def __init_subclass__(cls, section: str):
    cls.section = section

  def __post_init__(self):
    check(type(self), self.section, vars(self))

  @classmethod
  def read(cls, config: Mapping[str, Any]) -> Self:
    """From a section of a config; fields it lacks have their defaults.

    Raises:
      UserError: an unknown or missing field, or a value that is not allowed.
    """
    values = dict(config)
    check(cls, cls.section, values)
    for x in dataclasses.fields(cls):  # pyright: ignore[reportArgumentType]
      if x.name not in values and x.default is dataclasses.MISSING:
        raise UserError(f"the config has no {cls.section}.{x.name}.")
    return cls(**values)


def check(kind: type, section: str, values: Mapping[str, Any]) -> None:
  """Hold values against the annotated fields of a class.

  Raises:
    UserError: the first value that has no field, or is not allowed there.
  """
  hints = typing.get_type_hints(kind, include_extras=True)
  for name, value in values.items():
    if name not in hints:
      raise UserError(f"{section}.{name}: there is no such option.")
    wanted = _wanted(hints[name], value)
    if wanted:
      raise UserError(f"{section}.{name}={value!r}: {wanted} is needed.")


def check_value(name: str, hint: Any, value: Any) -> None:
  """`check` for one value, of a flag or an argument."""
  wanted = _wanted(hint, value)
  if wanted:
    raise UserError(f"{name}={value!r}: {wanted} is needed.")


NAMES = {
  int: "a whole number",
  float: "a number",
  bool: "True or False",
  str: "a text",
}


def _wanted(hint: Any, value: Any) -> str:
  """What a value should have been; empty where it is right."""
  origin, parts = typing.get_origin(hint), typing.get_args(hint)
  if origin is Annotated:
    base, span = parts
    wrong = _wanted(base, value)
    return wrong or ("" if value in span else f"{NAMES[base]}, {span},")
  if origin is Literal:
    known = f"one of {', '.join(map(str, parts))}"
    return "" if value in parts and not isinstance(value, bool) else known
  if origin is tuple:
    return _wanted_tuple(parts, value)
  if origin is types.UnionType:  # X | None
    return "" if value is None else _wanted(parts[0], value)
  kinds = {float: numbers.Real, int: numbers.Integral}.get(hint, hint)
  is_flag = isinstance(value, bool) and hint is not bool
  right = hint is Any or isinstance(value, kinds) and not is_flag
  return "" if right else NAMES.get(hint, str(hint))


def _wanted_tuple(parts: tuple, value: Any) -> str:
  if parts[-1] is ... and isinstance(value, tuple):
    parts = parts[:1] * len(value)
  if not isinstance(value, tuple) or len(value) != len(parts):
    return f"a tuple of {len(parts)}"
  return next(filter(None, map(_wanted, parts, value)), "")
