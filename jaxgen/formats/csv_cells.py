"""Cells of CSV files that people open in spreadsheets."""

from __future__ import annotations

import contextlib
from typing import Any, TypeVar

T = TypeVar("T")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
ENCODING: Any = {"encoding": "utf-8", "errors": "surrogateescape"}


def cell(value: T) -> T | str:
  """A cell that no spreadsheet runs as a formula: text that begins like one,
  and is not a number, gets an apostrophe before it."""
  if not isinstance(value, str) or not value.startswith(_FORMULA):
    return value
  with contextlib.suppress(ValueError):
    float(value)
    return value
  return f"'{value}"
