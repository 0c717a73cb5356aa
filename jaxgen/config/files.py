"""Reading of config files, and their record in a workdir.

A config file is Python whose `get_config(variant)` returns a `ConfigDict` of
plain data: a base from `jaxgen.config.defaults`, modified for its experiment.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from jaxgen.config.experiment import Experiment
from jaxgen.config.fields import near_miss
from jaxgen.config.overrides import flatten
from jaxgen.config.parse import check_top_level, parse
from jaxgen.errors import UserError
from jaxgen.formats.atomic import write_json


def load_config(path: str, overrides: list[str]) -> Any:
  """Read `FILE.py[:variant]` and apply `--config.a.b=value` arguments.

  Raises:
    UserError: a missing or broken file, an unknown field or a wrong type.
  """
  if not pathlib.Path(path.split(":")[0]).is_file():
    raise UserError(f"--config={path}: no such file.")
  config = _run(path, [])
  for argument in overrides:
    _check_override(config, argument)
  return _run(path, overrides).lock() if overrides else config.lock()


def load_experiment(path: str, overrides: list[str]) -> Experiment:
  """The parsed result of `load_config`."""
  return parse(load_config(path, overrides))


def _run(path: str, overrides: list[str]) -> Any:
  """The ConfigDict of a config file."""
  argv = ["jaxgen", f"--config={path}", *overrides]
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
    raise UserError(f"--config={path}: line {e.lineno}: {e.msg}") from e
  except (Exception, SystemExit) as e:  # a config file may raise anything
    error = _innermost(e) if "config file:" in str(e) else e
    message = " ".join(str(error).split()) or repr(error)
    raise UserError(f"--config={path}: {message}") from e


def _innermost(error: BaseException) -> BaseException:
  """The exception of a config file, unwrapped from ml-collections' own."""
  while below := error.__cause__ or error.__context__:
    error = below
  return error


def _check_override(config: ConfigDict, argument: str) -> None:
  if not argument.startswith("--config."):
    raise UserError(f"{argument}: no such flag; see --help.")
  key = argument.removeprefix("--config.").partition("=")[0]
  known = list(flatten(config.to_dict()))
  if key not in known:
    raise UserError(f"--config.{key}: no such field.{near_miss(key, known)}")


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
    return parse(_tuples(json.loads(path.read_text())))
  except Exception as e:  # the file may have been edited by hand
    raise UserError(f"{path} is damaged: {e}") from e


def _tuples(value: Any) -> Any:
  """JSON lists converted back to tuples."""
  if isinstance(value, dict):
    return {k: _tuples(v) for k, v in value.items()}
  return tuple(map(_tuples, value)) if isinstance(value, list) else value
