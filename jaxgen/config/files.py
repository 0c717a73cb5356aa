"""How a config is read, saved and compared.

A config is an ml-collections `ConfigDict`: plain data. Files in `configs/` take
a base from `jaxgen.config.defaults` and change what their experiment needs.
"""

from __future__ import annotations

import difflib
import json
import pathlib
import sys
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from jaxgen.config import defaults
from jaxgen.errors import UserError
from jaxgen.formats.atomic import write_json


def check_variant(variant: str, known: tuple[str, ...]) -> None:
  """Refuse a variant (`FILE.py:variant`) that a config file does not have."""
  if variant and variant not in known:
    raise ValueError(f"no variant {variant!r}; there is {', '.join(known)}")


def load_config(path: str, overrides: list[str]) -> Any:
  """Read `FILE.py[:variant]` and apply `--config.a.b=value` arguments.

  Raises:
    UserError: a missing or broken file, an unknown key, a wrong type.
  """
  if not pathlib.Path(path.split(":")[0]).is_file():
    raise UserError(f"--config={path}: there is no such file.")
  config = _parse(path, [])
  for argument in overrides:
    _check_key(config, argument)
  return _parse(path, overrides).lock() if overrides else config.lock()


def _parse(path: str, overrides: list[str]) -> Any:
  argv = ["jaxgen", f"--config={path}", *overrides]
  sys.modules.pop("config_config", None)  # nothing is left of another file
  holder = flags.FlagValues()
  config_flags.DEFINE_config_file("config", flag_values=holder, sys_argv=argv)
  try:
    holder(argv)
    config: Any = holder["config"].value
    check_sections(config)  # a broken file raises on first use
    return config
  except SyntaxError as e:
    raise UserError(f"--config={path}: line {e.lineno}: {e.msg}") from e
  except (
    Exception,
    SystemExit,
  ) as e:  # whatever a config file does, on one line
    error = _innermost(e) if "config file:" in str(e) else e
    message = " ".join(str(error).split()) or repr(error)
    raise UserError(f"--config={path}: {message}") from e


def check_sections(config: Any) -> None:
  """Raise a ValueError unless a config has the sections of its task's base."""
  if not isinstance(config, ConfigDict) or "task" not in config:
    raise ValueError("its get_config() does not return a jaxgen config")
  if not isinstance(config.task, str) or config.task not in defaults.BASES:
    raise ValueError(
      f"task={config.task!r}: one of {', '.join(defaults.BASES)} is needed"
    )
  base = defaults.BASES[config.task]()
  for name in config:
    if name not in base:
      near = difflib.get_close_matches(name, list(base), n=1)
      hint = f"; did you mean {near[0]}?" if near else ""
      raise ValueError(f"{name}: a config has no such section or field{hint}")
  for name, value in base.items():
    if name not in config or not isinstance(config[name], type(value)):
      raise ValueError(f"{name!r} is missing or wrong")


def _innermost(error: BaseException) -> BaseException:
  """What a config file raised, below what ml-collections makes of it."""
  while below := error.__cause__ or error.__context__:
    error = below
  return error


MOVED = {"train.fit": "batch.fit", "train.memory_gib": "batch.memory_gib"}


def _check_key(config: ConfigDict, argument: str) -> None:
  if not argument.startswith("--config."):
    raise UserError(f"{argument}: there is no such flag here; see --help.")
  key = argument.removeprefix("--config.").partition("=")[0]
  keys = list(flatten(config))
  if key in MOVED:
    raise UserError(f"--config.{key}: it is --config.{MOVED[key]} now.")
  if key not in keys:
    near = difflib.get_close_matches(key, keys, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise UserError(f"--config.{key}: the config has no such field.{hint}")


def save_config(config: ConfigDict, path: pathlib.Path) -> None:
  """Write the resolved config as JSON, in one atomic step."""
  write_json(path, config.to_dict())


def read_config(path: pathlib.Path) -> Any:
  """The config that `save_config` wrote; lists become tuples again."""
  if not path.is_file():
    raise UserError(f"{path.parent} holds no run: there is no {path.name}.")
  try:
    config: Any = ConfigDict(_renamed(_tuples(json.loads(path.read_text()))))
    check_sections(config)
    for name, base in defaults.BASES[config.task]().items():
      if isinstance(base, ConfigDict):  # an older version lacks what is new
        config[name] = ConfigDict({**base, **config[name]})
  except Exception as e:  # whatever a file by another hand may hold
    raise UserError(f"{path} is damaged: {e}") from e
  return config.lock()


def _renamed(config: Any) -> Any:
  """A config of before losses had weights, and there were sections `kl` and
  `batch`."""
  loss = config.get("loss")
  if isinstance(loss, dict) and "reconstruction" in loss:
    name = loss.pop("reconstruction")
    config["loss"] = {"log_mse": 0.0, name: 1.0}
    config["kl"] = {}
  if isinstance(train := config.get("train"), dict):
    moved = {k: train.pop(k) for k in ("fit", "memory_gib") if k in train}
    config.setdefault("batch", moved)
  return config


def _tuples(value: Any) -> Any:
  if isinstance(value, dict):
    return {k: _tuples(v) for k, v in value.items()}
  return tuple(map(_tuples, value)) if isinstance(value, list) else value


def flatten(config: ConfigDict, prefix: str = "") -> dict[str, Any]:
  """`{"model.width": 512, ...}`."""
  flat = {}
  for key, value in config.items():
    nested = isinstance(value, ConfigDict)
    flat |= (
      flatten(value, f"{prefix}{key}.") if nested else {prefix + key: value}
    )
  return flat


def differences(old: ConfigDict, new: ConfigDict) -> list[str]:
  """`key: old -> new` for each key in which two configs differ."""
  a, b = flatten(old), flatten(new)
  keys = [k for k in sorted(a | b) if a.get(k) != b.get(k)]
  return [f"{k}: {a.get(k)!r} -> {b.get(k)!r}" for k in keys]
