"""Weights by the names of a model's parameters, `a/b/kernel` or `a.b.kernel`,
such as those of a program that trains the same network."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

import numpy as np

from jaxgen.config.experiment import Experiment
from jaxgen.errors import UserError
from jaxgen.interop import weights_file
from jaxgen.interop.imported import Imported, sizes_of
from jaxgen.interop.names import placed
from jaxgen.runs import companions, exported
from jaxgen.tasks import families

COLLECTION = "params/"  # flax's, in front of all names or of none


def read(path: pathlib.Path, experiment: Experiment) -> Imported:
  """The weights of a file, for the last stage of an experiment.

  Args:
    path: the file, or the folder of an exported run.
    experiment: the config of the model.

  Raises:
    UserError: the file is missing or damaged, parameters have no partner, or
      the model leans on other runs, whose numbers no file has.
  """
  for name in companions.wanted(experiment):
    field = companions.FIELDS[name]
    raise UserError(
      f"{field}: expected a config without it: weights are imported without"
      " the runs that they lean on."
    )
  names = families.condition_values(experiment)
  sizes = sizes_of(experiment, names)
  file = path / exported.WEIGHTS if path.is_dir() else path
  arrays = _named(weights_file.read(file))
  try:
    found = placed(sizes.shapes, arrays, partner=lambda name: name)
  except UserError as e:
    raise UserError(f"{file}: {e}") from e
  return Imported(
    experiment=experiment,
    names=names,
    arrays=found,
    latent_shape=sizes.latent_shape,
  )


def _named(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  """The arrays with names like those of our parameters."""
  found = {name.replace(".", "/"): x for name, x in arrays.items()}
  whole = all(name.startswith(COLLECTION) for name in found)
  return {
    k.removeprefix(COLLECTION) if whole else k: x for k, x in found.items()
  }
