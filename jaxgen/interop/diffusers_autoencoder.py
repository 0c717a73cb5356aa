"""`AutoencoderKL` of `diffusers` as a section `model` of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxgen.config.fields import PositiveInt, check_value
from jaxgen.interop.diffusers_fields import (
  Described,
  expect,
  expect_all,
  items,
  number,
  numbers,
  side,
)

DEFAULTS: dict[str, Any] = {  # in diffusers 0.42
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


def describe(config: Mapping[str, Any]) -> Described:
  """The autoencoder of a config.

  Raises:
    UserError: a field has a value that is damaged or not supported.
  """
  c = DEFAULTS | dict(config)
  expect(c, "act_fn", "silu")
  expect(c, "out_channels", c["in_channels"])
  expect_all(c, "down_block_types", "DownEncoderBlock2D")
  expect_all(c, "up_block_types", "UpDecoderBlock2D")
  mean, std = _moments(c)
  model = {
    "name": "kl_autoencoder",
    "widths": items(c, "block_out_channels"),
    "num_res_blocks": c["layers_per_block"],
    "latent_channels": c["latent_channels"],
    "norm_groups": c["norm_num_groups"],
    "attention": c["mid_block_add_attention"],
    "quant_conv": c["use_quant_conv"],
    "post_quant_conv": c["use_post_quant_conv"],
    "latent_mean": mean,
    "latent_std": std,
  }
  return Described("autoencoder", model, c["in_channels"], side(c))


def _moments(
  c: Mapping[str, Any],
) -> tuple[tuple[float, ...], tuple[float, ...]]:
  """Mean and standard deviation for which (z - mean) / std are the latents
  that pipelines of diffusers denoise: (z - shift) scaling, or with moments
  (z - mean) scaling / std."""
  channels = c["latent_channels"]
  check_value("latent_channels", PositiveInt, channels)
  scaling = number(c, "scaling_factor", 1.0)
  mean, std = (numbers(c, x) for x in ("latents_mean", "latents_std"))
  shift = number(c, "shift_factor", 0.0)
  return (
    mean or (shift,) * channels,
    tuple(x / scaling for x in std or (1.0,) * channels),
  )
