"""Sweep files, and their JSON form."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from jaxgen.config.files import load_experiment
from jaxgen.errors import UserError
from jaxgen.sweeps.configs import Bases
from jaxgen.sweeps.spec import Phase, Sweep, TradeOff
from jaxgen.sweeps.values import Times, Winner


def load_sweep(path: str) -> tuple[Sweep, Bases]:
  """Read `FILE.py[:variant]` and its base configs.

  A base that does not exist relative to the current folder is searched in the
  folders above the sweep file.

  Raises:
    UserError: a missing or broken file, or one without get_sweep(variant).
  """
  file, _, variant = path.partition(":")
  if not pathlib.Path(file).is_file():
    raise UserError(f"--config={path}: no such file.")
  try:
    loaded = _run_file(pathlib.Path(file), variant)
    sweep = from_json(json.loads(json.dumps(to_json(loaded))))
  except (Exception, SystemExit) as e:  # a sweep file may raise anything
    message = " ".join(str(e).split()) or repr(e)
    raise UserError(f"--config={path}: {message}") from e
  sweep = _with_resolved_bases(sweep, file)
  paths = {"": sweep.base} | {x.name: x.base for x in sweep.phases if x.base}
  return sweep, {k: load_experiment(v, []).to_dict() for k, v in paths.items()}


def _run_file(path: pathlib.Path, variant: str) -> Sweep:
  spec = importlib.util.spec_from_file_location("sweep_file", path)
  assert spec and spec.loader  # true for any name that ends in .py
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  if not callable(getattr(module, "get_sweep", None)):
    raise ValueError("expected a function get_sweep(variant)")
  sweep = module.get_sweep(variant)
  if not isinstance(sweep, Sweep):
    raise ValueError(
      "expected get_sweep() to return a jaxgen.sweeps.Sweep, got "
      f"{type(sweep).__name__}"
    )
  return sweep


def _with_resolved_bases(sweep: Sweep, file: str) -> Sweep:
  phases = (
    dataclasses.replace(x, base=x.base and _resolve_base(x.base, file))
    for x in sweep.phases
  )
  base = _resolve_base(sweep.base, file)
  return dataclasses.replace(sweep, base=base, phases=tuple(phases))


def _resolve_base(base: str, file: str) -> str:
  name, colon, variant = base.partition(":")
  folders = (pathlib.Path(), *pathlib.Path(file).resolve().parents)
  paths = (folder / name for folder in folders)
  path = next((x for x in paths if x.is_file()), name)
  return f"{path}{colon}{variant}"


def to_json(value: Any) -> Any:
  """A sweep as plain data for JSON."""
  if isinstance(value, Times):
    return {"times": value.factor}
  if isinstance(value, Winner):
    return {"winner": value.phase}
  if dataclasses.is_dataclass(value):
    fields = dataclasses.fields(value)
    return {x.name: to_json(getattr(value, x.name)) for x in fields}
  if isinstance(value, Mapping):
    return {k: to_json(v) for k, v in value.items()}
  if isinstance(value, tuple | list):
    return [to_json(x) for x in value]
  return value


def from_json(saved: Mapping[str, Any]) -> Sweep:
  """The sweep converted by `to_json`; lists become tuples.

  Raises:
    UserError, TypeError, KeyError: the data do not describe a sweep.
  """
  phases = []
  for values in saved["phases"]:
    fields: dict[str, Any] = {k: _from_json(v) for k, v in values.items()}
    fields["trade_offs"] = tuple(TradeOff(**x) for x in fields["trade_offs"])
    phases.append(Phase(**fields))
  overrides = _from_json(saved["overrides"])
  return Sweep(base=saved["base"], phases=tuple(phases), overrides=overrides)


def _from_json(value: Any) -> Any:
  if isinstance(value, Mapping):
    if value.keys() == {"times"}:
      return Times(value["times"])
    if value.keys() == {"winner"}:
      return Winner(value["winner"])
    return {k: _from_json(v) for k, v in value.items()}
  return tuple(map(_from_json, value)) if isinstance(value, list) else value
