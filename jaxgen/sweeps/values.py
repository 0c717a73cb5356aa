"""Overrides of a config: their values, and grids of them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from jaxgen.config.fields import Finite, check_value
from jaxgen.errors import UserError

Overrides = Mapping[str, Any]  # "model.width" -> value


@dataclasses.dataclass(frozen=True)
class Times:
  """An override that multiplies the current value, such as the winner's; an
  integer must stay an integer."""

  factor: float

  def __post_init__(self):
    check_value("Times", Finite, self.factor)

  def apply(self, key: str, value: Any) -> Any:
    """The value times the factor.

    Raises:
      UserError: the value is not a number, or the product of an integer is not
        an integer >= 1.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
      raise UserError(f"{key}={value!r}: expected a number to multiply.")
    product = value * self.factor
    if isinstance(value, float):
      return product
    if product != int(product) or product < 1:
      raise UserError(
        f"{key}: expected an integer >= 1, got {value} times {self.factor} = "
        f"{product}."
      )
    return int(product)


@dataclasses.dataclass(frozen=True)
class Winner:
  """An override that is the folder of the winner of an earlier phase, such as
  the autoencoder of a latent denoiser; with another winner, the run is another.
  """

  phase: str

  def __post_init__(self):
    check_value("Winner", str, self.phase)


def grid(values: Mapping[str, Sequence[Any]]) -> dict[str, dict[str, Any]]:
  """Runs for every combination of values; the last key varies fastest.

  `{"model.width": (32, 64)}` gives `width_32` and `width_64`.
  """
  runs = {}
  for combination in itertools.product(*values.values()):
    overrides = dict(zip(values, combination, strict=True))
    runs["-".join(_label(*item) for item in overrides.items())] = overrides
  return runs


def _label(key: str, value: Any) -> str:
  field = key.rpartition(".")[2]
  is_sequence = isinstance(value, tuple | list)
  return f"{field}_{'x'.join(map(str, value)) if is_sequence else value}"
