"""Configs of models of `diffusers` as sections of ours."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxgen.config.fields import Finite, PositiveInt, check_value
from jaxgen.errors import UserError

CONFIG, CLASS = "config.json", "_class_name"
KL_DEFAULTS: dict[str, Any] = {  # of AutoencoderKL, in diffusers 0.42
  "in_channels": 3,
  "out_channels": 3,
  "down_block_types": ("DownEncoderBlock2D",),
  "up_block_types": ("UpDecoderBlock2D",),
  "block_out_channels": (64,),
  "layers_per_block": 1,
  "act_fn": "silu",
  "latent_channels": 4,
  "norm_num_groups": 32,
  "sample_size": 32,
  "scaling_factor": 0.18215,
  "shift_factor": None,
  "latents_mean": None,
  "latents_std": None,
  "use_quant_conv": True,
  "use_post_quant_conv": True,
  "mid_block_add_attention": True,
}


class Described(NamedTuple):
  """A model of diffusers in the terms of a config of ours.

  Attributes:
    task: the model family.
    model: fields of the section `model`.
    channels: channels of the images.
    side: side of the images in its training; 0: not known.
  """

  task: str
  model: dict[str, Any]
  channels: int
  side: int


def read(path: pathlib.Path) -> Mapping[str, Any]:
  """A `config.json`.

  Raises:
    UserError: there is none, it is damaged, or it is not of a model.
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


def _kl_autoencoder(config: Mapping[str, Any]) -> Described:
  c = KL_DEFAULTS | dict(config)
  _expect(c, "act_fn", "silu")
  _expect(c, "out_channels", c["in_channels"])
  _expect_all(c, "down_block_types", "DownEncoderBlock2D")
  _expect_all(c, "up_block_types", "UpDecoderBlock2D")
  mean, std = _moments(c)
  model = {
    "name": "kl_autoencoder",
    "widths": _items(c, "block_out_channels"),
    "num_res_blocks": c["layers_per_block"],
    "latent_channels": c["latent_channels"],
    "norm_groups": c["norm_num_groups"],
    "attention": c["mid_block_add_attention"],
    "quant_conv": c["use_quant_conv"],
    "post_quant_conv": c["use_post_quant_conv"],
    "latent_mean": mean,
    "latent_std": std,
  }
  return Described("autoencoder", model, c["in_channels"], _side(c))


def _moments(
  c: Mapping[str, Any],
) -> tuple[tuple[float, ...], tuple[float, ...]]:
  """Mean and standard deviation for which (z - mean) / std are the latents
  that pipelines of diffusers denoise: (z - shift) scaling, or with moments
  (z - mean) scaling / std."""
  channels = c["latent_channels"]
  check_value("latent_channels", PositiveInt, channels)
  scaling = _number(c, "scaling_factor", 1.0)
  mean, std = (_numbers(c, x) for x in ("latents_mean", "latents_std"))
  shift = _number(c, "shift_factor", 0.0)
  return (
    mean or (shift,) * channels,
    tuple(x / scaling for x in std or (1.0,) * channels),
  )


def _number(c: Mapping[str, Any], field: str, default: float) -> float:
  """A number other than 0; the default in the place of 0 and null."""
  value = default if c[field] in (None, 0) else c[field]
  check_value(field, Finite, value)
  return float(value)


def _numbers(c: Mapping[str, Any], field: str) -> tuple[float, ...]:
  """A list of numbers; empty for null."""
  values = () if c[field] is None else _items(c, field)
  for value in values:
    check_value(field, Finite, value)
  return tuple(map(float, values))


def _items(c: Mapping[str, Any], field: str) -> tuple[Any, ...]:
  """The items of a list."""
  if not isinstance(c[field], list | tuple):
    raise UserError(f"{field}={c[field]!r}: expected a list.")
  return tuple(c[field])


def _side(c: Mapping[str, Any]) -> int:
  """The side of square images; 0 if it is not known."""
  side = c["sample_size"]
  side = side[0] if isinstance(side, list) and len(set(side)) == 1 else side
  return side if isinstance(side, int) else 0


def _expect(c: Mapping[str, Any], field: str, value: Any) -> None:
  if c[field] != value:
    raise UserError(f"{field}={c[field]!r}: expected {value!r}.")


def _expect_all(c: Mapping[str, Any], field: str, value: str) -> None:
  """Raise a UserError unless a list has only one value, once per level."""
  levels = len(_items(c, "block_out_channels"))
  if _items(c, field) != (value,) * levels:
    raise UserError(f"{field}={c[field]!r}: expected {levels} times {value!r}.")


_CLASSES = {"AutoencoderKL": _kl_autoencoder}
