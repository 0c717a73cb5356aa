"""Inputs of a page, and their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxgen.errors import UserError
from jaxgen.explore.session import Control


def slider(
  name: str,
  label: str,
  group: str,
  *,
  value: float,
  low: float,
  high: float,
  step: float = 0.05,
) -> Control:
  """A slider."""
  return {
    "name": name,
    "label": label,
    "kind": "range",
    "group": group,
    "value": value,
    "min": low,
    "max": high,
    "step": step,
  }


def select(
  name: str,
  label: str,
  group: str,
  values: Sequence[str],
  *,
  value: str,
) -> Control:
  """A list of values."""
  return {
    "name": name,
    "label": label,
    "kind": "select",
    "group": group,
    "values": values,
    "value": value,
  }


def button(name: str, label: str, group: str) -> Control:
  """A button."""
  return {"name": name, "label": label, "kind": "button", "group": group}


def seed(group: str) -> Control:
  """The seed of what is random."""
  return {
    "name": "seed",
    "label": "seed",
    "kind": "number",
    "group": group,
    "value": 0,
    "min": 0,
    "step": 1,
  }


def number(given: Mapping[str, Any], name: str) -> float:
  """The value of a control as a number.

  Raises:
    UserError: it is none, or not finite.
  """
  try:
    value = float(given["values"][name])
  except (KeyError, TypeError, ValueError) as e:
    raise UserError(f"{name}: expected a number.") from e
  if not np.isfinite(value):
    raise UserError(f"{name}: expected a finite number.")
  return value
