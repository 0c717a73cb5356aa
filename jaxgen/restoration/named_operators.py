"""Operators by name, as flags and keywords give them: `none`, `downsample:2`,
`blur:1.5`, `bayer:RGGB`."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
from jaxtyping import Float

from jaxgen.restoration import operators
from jaxgen.restoration.operators import Operator

FORMS = "none, downsample:2, blur:1.5, bayer:RGGB"
MOST_FACTOR, MOST_BLUR = 16.0, 16.0
REACH = 3  # standard deviations of a blur that its kernel covers


@dataclasses.dataclass(frozen=True, kw_only=True)
class NamedOperator:
  """An operator with the shapes that it maps.

  Attributes:
    operator: the operator.
    factor: side of the square of pixels of the image for one measured pixel.
    planes: channels of measurements; 0: those of the images.
    colors: channels of the images; 0: any.
  """

  operator: Operator
  factor: int = 1
  planes: int = 0
  colors: int = 0


@functools.cache
def named_operator(text: str) -> NamedOperator:
  """The operator of a name; equal names give the same object.

  Raises:
    ValueError: there is none, or a number is out of range.
  """
  name, _, value = text.partition(":")
  if text == "none":
    return NamedOperator(operator=operators.identity)
  if name == "downsample":
    factor = _number(text, value, low=2.0, high=MOST_FACTOR)
    if factor != int(factor):
      raise ValueError(f"expected an integer, as in downsample:2, got {text!r}")
    shrinking = operators.downsampling(int(factor))
    return NamedOperator(operator=shrinking, factor=int(factor))
  if name == "blur":
    std = _number(text, value, low=0.1, high=MOST_BLUR)
    return NamedOperator(operator=operators.blur(_gaussian(std)))
  if name == "bayer":
    packing = operators.bayer(value or "RGGB")
    return NamedOperator(operator=packing, factor=2, planes=4, colors=3)
  raise ValueError(f"must be one of {FORMS}, got {text!r}")


def _gaussian(std: float) -> Float[np.ndarray, "k k"]:
  reach = math.ceil(REACH * std)
  row = np.exp(-(np.arange(-reach, reach + 1.0) ** 2) / (2 * std**2))
  return np.outer(row, row) / row.sum() ** 2


def _number(text: str, value: str, *, low: float, high: float) -> float:
  """The number in a name."""
  try:
    number = float(value)
  except ValueError:
    number = math.nan
  if not low <= number <= high:
    name = text.partition(":")[0]
    raise ValueError(f"{name}: expected {low:g} to {high:g}, got {text!r}")
  return number
