"""Reading of config files, and their record in a workdir.

A config file is Python whose `get_config(variant)` returns a `ConfigDict` of
plain data: a base from `jaxgen.config.defaults`, modified for its experiment.
"""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from jaxgen.config.experiment import Experiment
from jaxgen.config.fields import describe, near_miss, unknown_field
from jaxgen.config.overrides import field_type, flatten
from jaxgen.config.parse import check_top_level, parse
from jaxgen.errors import UserError
from jaxgen.formats.atomic import write_json

CONFIGS = pathlib.Path(__file__).parents[1] / "configs"  # jaxgen's own


def load_config(
  path: str, overrides: list[str], *, label: str | None = None
) -> Any:
  """Read a config file and apply `--config.a.b=value` arguments.

  Args:
    path: `FILE.py[:variant]`, or `NAME[:variant]` of a file in `CONFIGS`.
    overrides: arguments that set fields.
    label: the argument that errors name; by default the flag `--config`.

  Raises:
    UserError: a missing or broken file, an unknown field or a wrong type.
  """
  label = label or f"--config={path}"
  file = _find(path, label)
  config = _run(file, [], label)
  for argument in overrides:
    _check_override(file, config.to_dict(), argument)
  changed = _run(file, overrides, label) if overrides else config
  return changed.lock()


def load_experiment(path: str, overrides: list[str]) -> Experiment:
  """The parsed result of `load_config`."""
  return parse(load_config(path, overrides))


def _find(path: str, label: str) -> str:
  """`FILE.py[:variant]` of a config, given its file or its name."""
  name, colon, variant = path.partition(":")
  if name.endswith(".py"):
    file = pathlib.Path(name)
    if not file.is_file():
      raise UserError(f"{label}: no such file.")
  else:
    file = CONFIGS / f"{name}.py"
    known = sorted(x.stem for x in CONFIGS.glob("*.py"))
    if name not in known:
      hint, names = near_miss(name, known), ", ".join(known)
      raise UserError(f"{label}: expected FILE.py or one of {names}.{hint}")
  return f"{file}{colon}{variant}"


def _run(file: str, overrides: list[str], label: str) -> Any:
  """The ConfigDict of a config file."""
  argv = ["jaxgen", f"--config={file}", *overrides]
  sys.modules.pop("config_config", None)  # the module of the last file
  holder = flags.FlagValues()
  config_flags.DEFINE_config_file("config", flag_values=holder, sys_argv=argv)
  try:
    holder(argv)
    config: Any = holder["config"].value  # a broken file raises here
    if not isinstance(config, ConfigDict):
      raise ValueError("its get_config() does not return a jaxgen config")
    check_top_level(config.to_dict())
    return config
  except SyntaxError as e:
    raise UserError(f"{label}: line {e.lineno}: {e.msg}") from e
  except (Exception, SystemExit) as e:  # a config file may raise anything
    error = _innermost(e) if "config file:" in str(e) else e
    message = " ".join(str(error).split()) or repr(error)
    raise UserError(f"{label}: {message}") from e


def _innermost(error: BaseException) -> BaseException:
  """The exception of a config file, unwrapped from ml-collections' own."""
  while below := error.__cause__ or error.__context__:
    error = below
  return error


def _check_override(
  file: str, config: Mapping[str, Any], argument: str
) -> None:
  """Raise a UserError unless an argument sets a known field to a value of its
  type."""
  if not argument.startswith("--config."):
    raise UserError(f"{argument}: no such flag; see --help.")
  key = argument.removeprefix("--config.").partition("=")[0]
  known = flatten(config)
  if key not in known:
    raise UserError(unknown_field(key, known, prefix="--config."))
  try:
    _run(file, [argument], argument)
  except UserError as e:
    if isinstance(e.__cause__, UserError):  # the value has the right type
      raise
    expected = describe(field_type(config, key))
    raise UserError(f"{argument}: expected {expected}.") from e


def save_experiment(experiment: Experiment, path: pathlib.Path) -> None:
  """Write an experiment as JSON, atomically."""
  write_json(path, experiment.to_dict())


def read_experiment(path: pathlib.Path) -> Experiment:
  """The experiment written by `save_experiment`.

  Raises:
    UserError: the file is missing or damaged.
  """
  if not path.is_file():
    raise UserError(f"{path.parent} holds no run: {path.name} is missing.")
  try:
    return parse(_current(_tuples(json.loads(path.read_text()))))
  except Exception as e:  # the file may have been edited by hand
    raise UserError(f"{path} is damaged: {e}") from e


def _current(recorded: Any) -> Any:
  """A config that a run has recorded, in today's terms: before there was
  `data.page`, a range of (0, 1) was the default, and not used for integers."""
  data = recorded.get("data") if isinstance(recorded, dict) else None
  if not isinstance(data, dict) or "page" in data:
    return recorded
  if data.get("value_range") == (0.0, 1.0):
    return recorded | {"data": data | {"value_range": ()}}
  return recorded


def _tuples(value: Any) -> Any:
  """JSON lists converted back to tuples."""
  if isinstance(value, dict):
    return {k: _tuples(v) for k, v in value.items()}
  return tuple(map(_tuples, value)) if isinstance(value, list) else value
