"""The config recorded in a run's folder, read without JAX.

`config.json` is the resolved config; `conditions.json` has the value names of
the conditions, so that a run can be opened without its data.
"""

from __future__ import annotations

import json
import pathlib
from typing import TYPE_CHECKING

from jaxgen.config import files, overrides
from jaxgen.config.experiment import Experiment
from jaxgen.errors import UserError
from jaxgen.formats.atomic import write_json

if TYPE_CHECKING:
  from jaxgen.typing import ConditionNames

CONFIG, CONDITIONS = "config.json", "conditions.json"


def is_recorded(workdir: pathlib.Path) -> bool:
  """Whether a folder records a config."""
  return (workdir / CONFIG).exists()


def read_experiment(workdir: pathlib.Path) -> Experiment:
  """The config of a run, parsed.

  Raises:
    UserError: the folder holds no run, or its config is damaged.
  """
  return files.read_experiment(workdir / CONFIG)


def differences(workdir: pathlib.Path, experiment: Experiment) -> list[str]:
  """`field: old -> new` for each field in which an experiment differs from the
  config recorded in a folder; empty if none is recorded.

  Raises:
    UserError: the recorded config is damaged.
  """
  if not is_recorded(workdir):
    return []
  recorded = read_experiment(workdir).to_dict()
  return overrides.differences(recorded, experiment.to_dict())


def save(
  workdir: pathlib.Path, experiment: Experiment, names: ConditionNames
) -> None:
  """Record a config, and the value names of its conditions if it has any."""
  files.save_experiment(experiment, workdir / CONFIG)
  if names:
    write_json(workdir / CONDITIONS, dict(names))


def read_condition_names(workdir: pathlib.Path) -> ConditionNames:
  """The value names of the conditions; empty if a run has none.

  Raises:
    UserError: the file is damaged.
  """
  path = workdir / CONDITIONS
  if not path.is_file():
    return {}
  try:
    names = json.loads(path.read_text())
    return {name: tuple(map(str, values)) for name, values in names.items()}
  except (ValueError, AttributeError, TypeError) as e:
    raise UserError(f"{path} is damaged: {e}") from e
