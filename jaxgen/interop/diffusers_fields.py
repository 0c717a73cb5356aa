"""Fields of the configs of models of `diffusers`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxgen.config.fields import Finite, check_value
from jaxgen.errors import UserError


class Described(NamedTuple):
  """A model of diffusers in the terms of a config of ours.

  Attributes:
    task: the model family.
    model: fields of the section `model`.
    channels: channels of the images.
    side: side of the images in its training; 0: not known.
  """

  task: str
  model: dict[str, Any]
  channels: int
  side: int


def number(c: Mapping[str, Any], field: str, default: float) -> float:
  """A number other than 0; the default in the place of 0 and null."""
  value = default if c[field] in (None, 0) else c[field]
  check_value(field, Finite, value)
  return float(value)


def numbers(c: Mapping[str, Any], field: str) -> tuple[float, ...]:
  """A list of numbers; empty for null."""
  values = () if c[field] is None else items(c, field)
  for value in values:
    check_value(field, Finite, value)
  return tuple(map(float, values))


def items(c: Mapping[str, Any], field: str) -> tuple[Any, ...]:
  """The items of a list."""
  if not isinstance(c[field], list | tuple):
    raise UserError(f"{field}={c[field]!r}: expected a list.")
  return tuple(c[field])


def side(c: Mapping[str, Any]) -> int:
  """The side of square images; 0 if it is not known."""
  side = c["sample_size"]
  side = side[0] if isinstance(side, list) and len(set(side)) == 1 else side
  return side if isinstance(side, int) else 0


def expect(c: Mapping[str, Any], field: str, value: Any) -> None:
  """Raise a UserError unless a field has a value."""
  if c[field] != value:
    raise UserError(f"{field}={c[field]!r}: expected {value!r}.")


def expect_all(c: Mapping[str, Any], field: str, value: str) -> None:
  """Raise a UserError unless a list has only one value, once per level."""
  levels = len(items(c, "block_out_channels"))
  if items(c, field) != (value,) * levels:
    raise UserError(f"{field}={c[field]!r}: expected {levels} times {value!r}.")
