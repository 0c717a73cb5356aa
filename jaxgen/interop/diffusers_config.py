"""Configs of models of `diffusers` as sections of ours."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from jaxgen.errors import UserError
from jaxgen.interop import diffusers_autoencoder, diffusers_unet
from jaxgen.interop.diffusers_fields import Described

CONFIG, CLASS = "config.json", "_class_name"
_CLASSES = {
  "AutoencoderKL": diffusers_autoencoder.describe,
  "UNet2DModel": diffusers_unet.describe,
}


def read(path: pathlib.Path) -> Mapping[str, Any]:
  """A `config.json` of a model, or of a scheduler.

  Raises:
    UserError: there is none, it is damaged, or it is of neither.
  """
  if not path.is_file():
    raise UserError(f"{path}: no such file; expected a model of diffusers.")
  try:
    config = json.loads(path.read_text())
  except (OSError, ValueError, RecursionError) as e:
    raise UserError(f"{path} is damaged: {e}.") from e
  if not isinstance(config, dict) or CLASS not in config:
    raise UserError(
      f"{path}: expected a model of diffusers: it has no {CLASS}."
    )
  return config


def describe(config: Mapping[str, Any]) -> Described:
  """The model of a config.

  Raises:
    UserError: another class than those known, or a field with a value that is
      damaged or not supported.
  """
  name = config[CLASS]
  if not isinstance(name, str) or name not in _CLASSES:
    raise UserError(f"{CLASS}={name!r}: expected one of {', '.join(_CLASSES)}.")
  return _CLASSES[name](config)
