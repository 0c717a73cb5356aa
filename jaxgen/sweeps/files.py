"""Sweep files, their JSON form, and the configs of runs."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from jaxgen.config.experiment import TASK_SECTIONS
from jaxgen.config.fields import unknown_field
from jaxgen.config.files import load_experiment
from jaxgen.config.overrides import apply_overrides, flatten
from jaxgen.config.parse import check_top_level, parse_section
from jaxgen.errors import UserError
from jaxgen.sweeps.spec import Overrides, Phase, Sweep, Times, TradeOff

Config = dict[str, Any]  # nested plain data, as from `Experiment.to_dict`
Passed = Mapping[str, Overrides]  # values passed on by each phase's winner


def load_sweep(path: str) -> tuple[Sweep, Config]:
  """Read `FILE.py[:variant]` and its base config.

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
  sweep = dataclasses.replace(sweep, base=_resolve_base(sweep.base, file))
  return sweep, load_experiment(sweep.base, []).to_dict()


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
    return {k: _from_json(v) for k, v in value.items()}
  return tuple(map(_from_json, value)) if isinstance(value, list) else value


def run_configs(
  sweep: Sweep, base: Config, *, phase: Phase, passed: Passed
) -> dict[str, Config]:
  """The config of each run of a phase, by name.

  Args:
    sweep: the sweep of the phase.
    base: the base config.
    phase: the phase of the runs.
    passed: the values passed on by each earlier phase.

  Raises:
    UserError: an override that the config does not accept.
  """
  config = apply(base, sweep.overrides, label="overrides")
  for earlier in sweep.earlier(phase):
    config = apply(config, passed[earlier.name], label=earlier.name)
  if phase.images:
    if len(config["stages"]["images"]) > 1:
      raise UserError(
        f"{phase.name}.images={phase.images}: expected a base with a single "
        "stage; set stages.images in overrides instead."
      )
    budget = {"stages.images": (phase.images,)}
    config = apply(config, budget, label=phase.name)
  config = apply(config, phase.overrides, label=phase.name)
  return {
    run: apply(config, overrides, label=f"{phase.name}/{run}")
    for run, overrides in phase.runs.items()
  }


def passed_values(phase: Phase, run: str, *, config: Config) -> dict[str, Any]:
  """The values that a run with this config passes on to later phases.

  Raises:
    UserError: a field of `passes_on` that is not in the config.
  """
  flat = flatten(config)
  for key in phase.passed_keys(run):
    if key not in flat:
      where = f"{phase.name}.passes_on: "
      raise UserError(unknown_field(key, flat, prefix=where))
  return {key: flat[key] for key in phase.passed_keys(run)}


def check_sweep(sweep: Sweep, base: Config) -> None:
  """Resolve the configs of all runs, for each possible winner of each earlier
  phase, to report errors before anything runs.

  Raises:
    UserError: an override that the config does not accept.
  """
  first: dict[str, Overrides] = {}  # if the first run of each phase wins
  others: list[Passed] = []
  for phase in sweep.phases:
    for passed in (first, *others):
      _check_sections(
        phase, run_configs(sweep, base, phase=phase, passed=passed)
      )
    configs = run_configs(sweep, base, phase=phase, passed=first)
    values, *rest = (
      passed_values(phase, run, config=config)
      for run, config in configs.items()
    )
    others = [{**passed, phase.name: values} for passed in others]
    others += [{**first, phase.name: x} for x in rest]
    first[phase.name] = values


def _check_sections(phase: Phase, configs: Mapping[str, Config]) -> None:
  """Raise a UserError for a value that its section refuses. Whether sections
  fit each other shows when a run starts, which then fails by itself."""
  for run, config in configs.items():
    try:
      check_top_level(config)
      for name in TASK_SECTIONS[config["task"]]:
        parse_section(name, config[name])
    except UserError as e:
      raise UserError(f"{phase.name}/{run}: {e}") from e


def apply(config: Config, overrides: Overrides, *, label: str) -> Config:
  """A copy of a config with overrides; errors begin with `label`.

  Raises:
    UserError: an unknown field, or a value of the wrong type or range.
  """
  flat, values = flatten(config), dict(overrides)
  for key, value in overrides.items():
    if isinstance(value, Times) and key in flat:
      try:
        values[key] = value.apply(key, flat[key])
      except UserError as e:
        raise UserError(f"{label}: {e}") from e
  return apply_overrides(config, values, f"{label}: ")
