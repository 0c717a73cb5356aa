"""The configs of a sweep's runs: the base, what earlier phases have decided,
and overrides."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from jaxgen.config.experiment import TASK_SECTIONS
from jaxgen.config.fields import unknown_field
from jaxgen.config.overrides import apply_overrides, flatten
from jaxgen.config.parse import check_top_level, parse_section
from jaxgen.errors import UserError
from jaxgen.sweeps.spec import Phase, Sweep
from jaxgen.sweeps.values import Overrides, Times, Winner

Config = dict[str, Any]  # nested plain data, as from `Experiment.to_dict`
Bases = Mapping[str, Config]  # by phases with a base of their own; "": others


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decision:
  """What a phase has decided: the folder of its winner, and the values that it
  passes on to later phases of the same base."""

  folder: str
  passed: Overrides


Decided = Mapping[str, Decision]  # by phase
NOTHING: Decided = {}


def run_configs(
  sweep: Sweep, bases: Bases, *, phase: Phase, decided: Decided
) -> dict[str, Config]:
  """The config of each run of a phase, by name.

  Args:
    sweep: the sweep of the phase.
    bases: the base configs.
    phase: the phase of the runs.
    decided: what each earlier phase has decided.

  Raises:
    UserError: an override that the config does not accept.
  """
  config = _start(sweep, bases, phase=phase, decided=decided)
  if phase.images:
    if len(config["stages"]["images"]) > 1:
      raise UserError(
        f"{phase.name}.images={phase.images}: expected a base with a single "
        "stage; set stages.images in overrides instead."
      )
    budget = {"stages.images": (phase.images,)}
    config = apply(config, budget, label=phase.name)
  change = functools.partial(apply, decided=decided)
  config = change(config, phase.overrides, label=phase.name)
  return {
    run: change(config, overrides, label=f"{phase.name}/{run}")
    for run, overrides in phase.runs.items()
  }


def _start(
  sweep: Sweep, bases: Bases, *, phase: Phase, decided: Decided
) -> Config:
  """The base config of a phase, with what earlier phases pass on to it."""
  if phase.base:
    config = bases[phase.name]
  else:
    config = apply(bases[""], sweep.overrides, label="overrides")
  for earlier in sweep.ancestors(phase):
    passed = decided[earlier.name].passed
    config = apply(config, passed, label=earlier.name)
  return config


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


def check_sweep(sweep: Sweep, bases: Bases) -> None:
  """Resolve the configs of all runs, for each possible winner of each earlier
  phase, to report errors before anything runs.

  Raises:
    UserError: an override that the config does not accept.
  """
  first: dict[str, Decision] = {}  # if the first run of each phase wins
  others: list[Decided] = []
  for phase in sweep.phases:
    for decided in (first, *others):
      _check_sections(
        phase, run_configs(sweep, bases, phase=phase, decided=decided)
      )
    configs = run_configs(sweep, bases, phase=phase, decided=first)
    winner, *rest = (
      Decision(
        folder=f"{phase.name}/{run}",
        passed=passed_values(phase, run, config=config),
      )
      for run, config in configs.items()
    )
    others = [{**decided, phase.name: winner} for decided in others]
    others += [{**first, phase.name: x} for x in rest]
    first[phase.name] = winner


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


def apply(
  config: Config,
  overrides: Overrides,
  *,
  label: str,
  decided: Decided = NOTHING,
) -> Config:
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
    if isinstance(value, Winner):
      values[key] = decided[value.phase].folder
  return apply_overrides(config, values, f"{label}: ")
