"""Weights of other libraries in the place of a model's own, by a map of
names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from jaxgen.errors import UserError

TORCH_LEAVES = {"kernel": "weight", "scale": "weight", "bias": "bias"}
Shapes = Mapping[str, tuple[int, ...]]
Arrays = Mapping[str, np.ndarray]
Convert = Callable[[np.ndarray, tuple[int, ...]], np.ndarray]


def placed(
  shapes: Shapes,
  arrays: Arrays,
  *,
  partner: Callable[[str], str],
  convert: Convert = lambda x, shape: x,
) -> dict[str, np.ndarray]:
  """The arrays by the names of a model's parameters.

  Args:
    shapes: the shapes of the parameters by name.
    arrays: the arrays by their names in the file.
    partner: name of a parameter -> its name in the file.
    convert: (array, shape of its parameter) -> the array in the order of axes
      of the parameter.

  Raises:
    UserError: names without a partner, all of which are listed, or arrays of
      other shapes.
  """
  partners = {name: partner(name) for name in shapes}
  _check_names(partners, arrays)
  found = {}
  for name, shape in shapes.items():
    found[name] = convert(arrays[partners[name]], shape)
    if found[name].shape != shape:
      raise UserError(
        f"{partners[name]}: expected {shape} for {name}, got"
        f" {found[name].shape}."
      )
  return found


def _check_names(partners: Mapping[str, str], arrays: Arrays) -> None:
  """Raise a UserError that lists all names without a partner."""
  wanted = {other: name for name, other in partners.items()}
  missing = [x for x in wanted if x not in arrays]
  extra = sorted(x for x in arrays if x not in wanted)
  parts = [f"missing: {', '.join(missing)}"] if missing else []
  parts += [f"not in the model: {', '.join(extra)}"] if extra else []
  if parts:
    raise UserError(
      f"{len(missing)} parameters are missing and {len(extra)} are not in the"
      f" model; {'; '.join(parts)}."
    )


def of_torch(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
  """An array with its axes as flax has them: outputs last. Layers on single
  positions are matrices, stored as such or as 1 x 1 convolutions."""
  if x.ndim == 4:
    x = x.transpose(2, 3, 1, 0)  # of outputs, inputs, rows, columns
    is_single = x.shape[:2] == (1, 1) and len(shape) == 2
    return x[0, 0] if is_single else x
  return x.T if x.ndim == 2 else x
