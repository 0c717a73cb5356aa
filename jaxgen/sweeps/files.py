"""Sweep files, what is kept of them in a workdir, and the configs of runs."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from jaxgen.config.fields import near_miss
from jaxgen.config.files import load_experiment
from jaxgen.config.overrides import apply_overrides, flatten
from jaxgen.errors import UserError
from jaxgen.sweeps.spec import Overrides, Phase, Sweep, Times, TradeOff

Config = dict[str, Any]  # nested plain data, as `Experiment.to_dict`
Passed = Mapping[str, Overrides]  # of each decided phase, what it passes on


def load_sweep(path: str) -> tuple[Sweep, Config]:
  """Read `FILE.py[:variant]`, and the base config that it names.

  A base that is not there as it is named is looked for from the folders above
  the sweep file.

  Raises:
    UserError: a missing or broken file, or one without get_sweep(variant).
  """
  file, _, variant = path.partition(":")
  if not pathlib.Path(file).is_file():
    raise UserError(f"--config={path}: there is no such file.")
  try:
    found = _run_file(pathlib.Path(file), variant)
    sweep = decode(json.loads(json.dumps(encode(found))))
  except (Exception, SystemExit) as e:  # whatever such a file does, on one line
    message = " ".join(str(e).split()) or repr(e)
    raise UserError(f"--config={path}: {message}") from e
  sweep = dataclasses.replace(sweep, base=_find(sweep.base, file))
  return sweep, load_experiment(sweep.base, []).to_dict()


def _run_file(path: pathlib.Path, variant: str) -> Sweep:
  spec = importlib.util.spec_from_file_location("sweep_file", path)
  assert spec and spec.loader  # a name that ends in .py has one
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  if not callable(getattr(module, "get_sweep", None)):
    raise ValueError("it has no function get_sweep(variant)")
  found = module.get_sweep(variant)
  if not isinstance(found, Sweep):
    raise ValueError("its get_sweep() does not return a jaxgen.sweeps.Sweep")
  return found


def _find(base: str, file: str) -> str:
  name, colon, variant = base.partition(":")
  folders = (pathlib.Path(), *pathlib.Path(file).resolve().parents)
  places = (folder / name for folder in folders)
  found = next((x for x in places if x.is_file()), name)
  return f"{found}{colon}{variant}"


def encode(value: Any) -> Any:
  """A sweep as JSON knows it."""
  if isinstance(value, Times):
    return {"times": value.factor}
  if dataclasses.is_dataclass(value):
    fields = dataclasses.fields(value)
    return {x.name: encode(getattr(value, x.name)) for x in fields}
  if isinstance(value, Mapping):
    return {k: encode(v) for k, v in value.items()}
  if isinstance(value, tuple | list):
    return [encode(x) for x in value]
  return value


def decode(saved: Mapping[str, Any]) -> Sweep:
  """The sweep that `encode` wrote down; lists become tuples.

  Raises:
    UserError, TypeError, KeyError: it is none.
  """
  phases = []
  for kept in saved["phases"]:
    row: dict[str, Any] = {k: _plain(v) for k, v in kept.items()}
    row["trade_offs"] = tuple(TradeOff(**x) for x in row["trade_offs"])
    phases.append(Phase(**row))
  overrides = _plain(saved["overrides"])
  return Sweep(base=saved["base"], phases=(*phases,), overrides=overrides)


def _plain(value: Any) -> Any:
  if isinstance(value, Mapping):
    if value.keys() == {"times"}:
      return Times(value["times"])
    return {k: _plain(v) for k, v in value.items()}
  return tuple(map(_plain, value)) if isinstance(value, list) else value


def configs(
  sweep: Sweep, base: Config, phase: Phase, passed: Passed
) -> dict[str, Config]:
  """The config of each run of a phase.

  Args:
    sweep: that the phase is of.
    base: config.
    phase: whose runs.
    passed: by each earlier phase.

  Raises:
    UserError: an override that the config does not take.
  """
  start = apply(base, sweep.overrides, "overrides")
  for earlier in sweep.phases[: sweep.phases.index(phase)]:
    start = apply(start, passed[earlier.name], earlier.name)
  if phase.images:
    if len(start["stages"]["images"]) > 1:
      raise UserError(
        f"{phase.name}: images={phase.images}: the base has several stages; "
        "set stages.images in overrides instead."
      )
    start = apply(start, {"stages.images": (phase.images,)}, phase.name)
  start = apply(start, phase.overrides, phase.name)
  return {
    run: apply(start, overrides, f"{phase.name}/{run}")
    for run, overrides in phase.runs.items()
  }


def passes(phase: Phase, run: str, config: Config) -> dict[str, Any]:
  """What the next phases get of a run, as its config has it."""
  flat = flatten(config)
  for key in phase.passed(run):
    if key not in flat:
      raise UserError(
        f"{phase.name}: passes_on: {key}: no such field.{near_miss(key, flat)}"
      )
  return {key: flat[key] for key in phase.passed(run)}


def check(sweep: Sweep, base: Config) -> None:
  """Resolve all runs, after each winner that an earlier phase may have, so that
  a mistake shows before anything runs.

  Raises:
    UserError: an override that the config does not take.
  """
  first: dict[str, Overrides] = {}
  others: list[Passed] = []
  for phase in sweep.phases:
    for passed in (first, *others):
      configs(sweep, base, phase, passed)
    found = configs(sweep, base, phase, first)
    each = {run: passes(phase, run, config) for run, config in found.items()}
    one, *rest = each.values()
    others = [{**x, phase.name: one} for x in others]
    others += [{**first, phase.name: x} for x in rest]
    first[phase.name] = one


def apply(config: Config, overrides: Overrides, where: str) -> Config:
  """A copy of a config with other values; `where` names the culprit.

  Raises:
    UserError: a field that does not exist, or of another type.
  """
  flat, values = flatten(config), dict(overrides)
  for key, value in overrides.items():
    if isinstance(value, Times) and key in flat:
      try:
        values[key] = value.of(key, flat[key])
      except UserError as e:
        raise UserError(f"{where}: {e}") from e
  return apply_overrides(config, values, f"{where}: ")
