"""Overrides of single fields, `section.field`, in a config of plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxgen.config.fields import (
  Seed,
  check_value,
  field_types,
  unknown_field,
)
from jaxgen.config.models import MODELS
from jaxgen.config.parse import SECTIONS
from jaxgen.config.stages import Stage
from jaxgen.errors import UserError


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
  """Nested mappings as a flat one, `{"model.width": 512, ...}`."""
  flat = {}
  for key, value in config.items():
    nested = isinstance(value, Mapping)
    flat |= (
      flatten(value, f"{prefix}{key}.") if nested else {prefix + key: value}
    )
  return flat


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
  """`field: old -> new` for each field in which two configs differ."""
  a, b = flatten(old), flatten(new)
  keys = [k for k in sorted(a | b) if a.get(k) != b.get(k)]
  return [f"{k}: {a.get(k)!r} -> {b.get(k)!r}" for k in keys]


def apply_overrides(
  config: Mapping[str, Any], overrides: Mapping[str, Any], where: str = ""
) -> dict[str, Any]:
  """A copy of a config with some values replaced.

  Args:
    config: nested plain data, see `Experiment.to_dict`.
    overrides: values by `section.field`.
    where: prefix of error messages.

  Raises:
    UserError: an unknown field, or a value of the wrong type or range.
  """
  flat = flatten(config)
  result = {
    k: dict(v) if isinstance(v, Mapping) else v for k, v in config.items()
  }
  for key, value in overrides.items():
    if key not in flat:
      raise UserError(unknown_field(key, flat, prefix=where))
    check_value(f"{where}{key}", field_type(config, key), value)
    section, _, field = key.partition(".")
    if field:
      result[section][field] = value
    else:
      result[section] = value
  return result


def field_type(config: Mapping[str, Any], key: str) -> Any:
  """The annotated type of a field, given the config's model."""
  section, _, field = key.partition(".")
  if section == "stages":
    return tuple[field_types(Stage)[field], ...]
  if section == "model":
    return field_types(MODELS[config["model"]["name"]])[field]
  if section in SECTIONS:
    return field_types(SECTIONS[section])[field]
  return Seed if section == "seed" else str
