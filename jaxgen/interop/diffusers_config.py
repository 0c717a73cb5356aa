"""Configs of models of `diffusers` as sections of ours."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

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


UNET_DEFAULTS: dict[str, Any] = {  # of UNet2DModel
  "sample_size": None,
  "in_channels": 3,
  "out_channels": 3,
  "center_input_sample": False,
  "time_embedding_type": "positional",
  "time_embedding_dim": None,
  "freq_shift": 0,
  "flip_sin_to_cos": True,
  "down_block_types": ("DownBlock2D", *("AttnDownBlock2D",) * 3),
  "mid_block_type": "UNetMidBlock2D",
  "up_block_types": (*("AttnUpBlock2D",) * 3, "UpBlock2D"),
  "block_out_channels": (224, 448, 672, 896),
  "layers_per_block": 2,
  "mid_block_scale_factor": 1,
  "downsample_padding": 1,
  "downsample_type": "conv",
  "upsample_type": "conv",
  "dropout": 0.0,
  "act_fn": "silu",
  "attention_head_dim": 8,
  "norm_num_groups": 32,
  "attn_norm_num_groups": None,
  "norm_eps": 1e-5,
  "resnet_time_scale_shift": "default",
  "add_attention": True,
  "class_embed_type": None,
  "num_class_embeds": None,
}
SCHEDULER: dict[str, Any] = {  # the process of `diffusion.vp`
  "num_train_timesteps": 1000,
  "beta_start": 1e-4,
  "beta_end": 0.02,
  "beta_schedule": "linear",
  "trained_betas": None,
  "prediction_type": "epsilon",
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


def _ddpm_unet(config: Mapping[str, Any]) -> Described:
  c = UNET_DEFAULTS | dict(config)
  _expect(c, "out_channels", c["in_channels"])
  for field in _FIXED:
    _expect(c, field, UNET_DEFAULTS[field])
  _expect(c, "act_fn", "silu")
  attention = _attention(
    c, "down_block_types", "DownBlock2D", "AttnDownBlock2D"
  )
  up = _attention(c, "up_block_types", "UpBlock2D", "AttnUpBlock2D")
  if attention != up[::-1]:
    raise UserError(
      "up_block_types: expected attention at the levels of down_block_types."
    )
  widths = _items(c, "block_out_channels")
  if c["time_embedding_dim"] is not None:
    _expect(c, "time_embedding_dim", 4 * widths[0])
  check_value("downsample_padding", Literal[0, 1], c["downsample_padding"])
  model = {
    "name": "ddpm_unet",
    "widths": widths,
    "num_res_blocks": c["layers_per_block"],
    "attention": attention,
    "middle_attention": c["add_attention"],
    "head_dim": c["attention_head_dim"] or 0,
    "norm_groups": c["norm_num_groups"],
    "norm_epsilon": c["norm_eps"],
    "asymmetric_padding": c["downsample_padding"] == 0,
    "cosines_first": c["flip_sin_to_cos"],
    "frequency_shift": c["freq_shift"],
    "dropout": c["dropout"],
  }
  return Described("diffusion", model, c["in_channels"], _side(c))


def _attention(
  c: Mapping[str, Any], field: str, plain: str, attentive: str
) -> tuple[bool, ...]:
  """Whether each block has attention."""
  blocks = _items(c, field)
  if any(x not in (plain, attentive) for x in blocks):
    raise UserError(
      f"{field}={c[field]!r}: expected a list of {plain} and {attentive}."
    )
  return tuple(x == attentive for x in blocks)


_FIXED = (  # fields of UNet2DModel with a single value here
  "center_input_sample",
  "time_embedding_type",
  "mid_block_type",
  "mid_block_scale_factor",
  "downsample_type",
  "upsample_type",
  "attn_norm_num_groups",
  "resnet_time_scale_shift",
  "class_embed_type",
  "num_class_embeds",
)


def check_scheduler(config: Mapping[str, Any]) -> None:
  """Raise a UserError unless a scheduler has the noise levels of DDPM, and a
  network that predicts the noise."""
  c = SCHEDULER | dict(config)
  for field, value in SCHEDULER.items():
    _expect(c, field, value)


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


_CLASSES = {"AutoencoderKL": _kl_autoencoder, "UNet2DModel": _ddpm_unet}
