"""`UNet2DModel` of `diffusers`, and the scheduler beside it, as a section
`model` of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from jaxgen.config.fields import check_value
from jaxgen.errors import UserError
from jaxgen.interop.diffusers_fields import Described, expect, items, side

DEFAULTS: dict[str, Any] = {  # in diffusers 0.42
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
SCHEDULER: dict[str, Any] = {  # the process of `diffusion.vp`
  "num_train_timesteps": 1000,
  "beta_start": 1e-4,
  "beta_end": 0.02,
  "beta_schedule": "linear",
  "trained_betas": None,
  "prediction_type": "epsilon",
}


def describe(config: Mapping[str, Any]) -> Described:
  """The denoiser of a config.

  Raises:
    UserError: a field has a value that is damaged or not supported.
  """
  c = DEFAULTS | dict(config)
  expect(c, "out_channels", c["in_channels"])
  for field in _FIXED:
    expect(c, field, DEFAULTS[field])
  expect(c, "act_fn", "silu")
  attention = _attention(
    c, "down_block_types", "DownBlock2D", "AttnDownBlock2D"
  )
  up = _attention(c, "up_block_types", "UpBlock2D", "AttnUpBlock2D")
  if attention != up[::-1]:
    raise UserError(
      "up_block_types: expected attention at the levels of down_block_types."
    )
  widths = items(c, "block_out_channels")
  if c["time_embedding_dim"] is not None:
    expect(c, "time_embedding_dim", 4 * widths[0])
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
  return Described("diffusion", model, c["in_channels"], side(c))


def _attention(
  c: Mapping[str, Any], field: str, plain: str, attentive: str
) -> tuple[bool, ...]:
  """Whether each block has attention."""
  blocks = items(c, field)
  if any(x not in (plain, attentive) for x in blocks):
    raise UserError(
      f"{field}={c[field]!r}: expected a list of {plain} and {attentive}."
    )
  return tuple(x == attentive for x in blocks)


def check_scheduler(config: Mapping[str, Any]) -> None:
  """Raise a UserError unless a scheduler has the noise levels of DDPM, and a
  network that predicts the noise."""
  c = SCHEDULER | dict(config)
  for field, value in SCHEDULER.items():
    expect(c, field, value)
