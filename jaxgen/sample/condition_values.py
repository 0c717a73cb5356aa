"""Indices of the values of conditions."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np

from jaxgen.errors import UserError
from jaxgen.sample.conditions import FREE
from jaxgen.sample.options import ConditionValue
from jaxgen.typing import ConditionNames

Indices = int | np.ndarray  # value index, or one per image `(n,)`


def value_indices(
  names: ConditionNames, name: str, value: ConditionValue
) -> Indices:
  """The index of the value of the condition `name`, or one per image.

  Raises:
    UserError: there is no such condition or value.
  """
  if name not in names:
    raise UserError(
      f"{name}={value}: this run has no such condition; expected one of "
      f"{', '.join(names) or 'none'}."
    )
  value = value.tolist() if isinstance(value, np.ndarray) else value
  if isinstance(value, str) or not isinstance(value, Sequence):
    return value_index(names[name], str(value), name)
  if not all(x is None or isinstance(x, str) for x in value):
    raise UserError(f"{name}={value}: expected a list of names.")
  each = [
    FREE if x is None else value_index(names[name], x, name) for x in value
  ]
  return np.array(each, np.int32)


def value_index(values: Sequence[str], value: str, name: str) -> int:
  """The index of a value among the values of the condition `name`, in any of
  Unicode's forms."""
  if value in values:
    return values.index(value)
  for form in ("NFC", "NFKC"):
    forms = [unicodedata.normalize(form, x) for x in (*values, value)]
    if forms.count(forms[-1]) == 2:
      return forms.index(forms[-1])
  raise UserError(f"{name}={value}: expected one of {', '.join(values)}.")
