"""Toy configs for the tests, and the checks that a run begins with."""

import pathlib
from typing import Any

import jax

from jaxgen.config.defaults import (
  autoencoder,
  consistency,
  control,
  conv_autoencoder,
  denoiser,
  dit,
)
from jaxgen.config.files import load_config
from jaxgen.config.parse import parse
from jaxgen.config.variants import smoke
from jaxgen.errors import UserError
from jaxgen.train.programs import check_stages, stage_programs
from jaxgen.train.stage import StageProgram

ROOT = pathlib.Path(__file__).parents[2]
FILES = sorted((ROOT / "configs").glob("*.py"))


def toy(**sections: dict[str, Any]) -> Any:
  """An autoencoder's config of gray tiles, to be changed."""
  return _changed(smoke(autoencoder()), sections)


def toy_denoiser(**sections: dict[str, Any]) -> Any:
  """The same of a denoiser, `dit`."""
  return _changed(smoke(denoiser(dit())), sections)


def toy_few_steps(**sections: dict[str, Any]) -> Any:
  """The same of a few-step model."""
  return _changed(smoke(consistency(dit())), sections)


def toy_control(**sections: dict[str, Any]) -> Any:
  """The same of a ControlNet, whose base is to be named."""
  return _changed(smoke(control(dit())), sections)


def toy_vae(**sections: dict[str, Any]) -> Any:
  """The same of a convolutional autoencoder, by default plain."""
  return _changed(smoke(autoencoder(conv_autoencoder())), sections)


def _changed(config: Any, sections: dict[str, dict[str, Any]]) -> Any:
  config.data.channels = 1
  config.stages.resolution = (32,)
  for name, values in sections.items():
    config[name].update(values)
  return config


def variants(path: pathlib.Path) -> tuple[str, ...]:
  """The variants that a config file knows, "" first."""
  try:
    load_config(f"{path}:nonsense", [])
  except UserError as e:
    known = str(e).partition("one of ")[2]
    return ("", *known.rstrip(".").split(", "))
  raise AssertionError(f"{path} takes any variant")


def every_config() -> list[str]:
  """`FILE.py[:variant]` for each config file and variant that there is."""
  return [
    f"{path}:{variant}" if variant else str(path)
    for path in FILES
    for variant in variants(path)
  ]


def programs(
  config: Any, devices: int | None = None, **keywords: Any
) -> list[StageProgram]:
  """The stages of a config on the first so many devices, by default all."""
  found = jax.devices()[:devices]
  return stage_programs(parse(config), devices=found, **keywords)


def check(config: Any) -> None:
  """Raise a UserError as a run does before it trains."""
  check_stages(programs(config))
