"""Consistency of the sections `model`: errors name the field."""

import pytest

from jaxgen.config.denoisers import (
  DiTConfig,
  MLPConfig,
  ProgressiveUNetConfig,
  UNetConfig,
)
from jaxgen.config.models import (
  MODELS,
  ConvAutoencoderConfig,
  PatchAutoencoderConfig,
)
from jaxgen.errors import UserError

SMALL = {  # which fit 16 pixels
  PatchAutoencoderConfig: {"patch_size": 4, "width": 32, "heads": 2},
  ConvAutoencoderConfig: {
    "base_channels": 8,
    "multipliers": (1, 2),
    "downsampling_steps": 2,
    "head_dim": 8,
  },
  UNetConfig: {
    "width": 8,
    "multipliers": (1, 2),
    "attention": (False, True),
    "head_dim": 8,
  },
  ProgressiveUNetConfig: {
    "width": 8,
    "multipliers": (1,),
    "attention": (False,),
    "head_dim": 8,
    "resolutions": (8, 12, 16),
  },
  DiTConfig: {"width": 32, "heads": 2, "patch_size": 4},
}


@pytest.mark.parametrize("section", SMALL)
def test_sizes_that_fit_pass(section):
  section(**SMALL[section]).check(16)
  assert MODELS[section().name] is section


@pytest.mark.parametrize(
  ("section", "change", "field"),
  [
    (ConvAutoencoderConfig, {"downsampling_steps": 5}, "downsampling_steps"),
    (ConvAutoencoderConfig, {"base_channels": 6}, "base_channels"),
    (ConvAutoencoderConfig, {"attention": True, "head_dim": 7}, "head_dim"),
    (ConvAutoencoderConfig, {"multipliers": ()}, "multipliers"),
    (ConvAutoencoderConfig, {"latent_channels": 0}, "latent_channels"),
    (ConvAutoencoderConfig, {"patch_size": 4}, "patch_size"),
    (UNetConfig, {"attention": (True,)}, "attention"),
    (
      UNetConfig,
      {"multipliers": (1,) * 6, "attention": (False,) * 6},
      "multipliers",
    ),
    (UNetConfig, {"width": 6}, "width=6"),
    (UNetConfig, {"head_dim": 5}, "head_dim=5"),
    (UNetConfig, {"padding": "mirror"}, "padding='mirror'"),
    (UNetConfig, {"multipliers": (1, 0)}, "multipliers"),
    (DiTConfig, {"patch_size": 5}, "patch_size=5"),
    (DiTConfig, {"heads": 3}, "heads=3"),
    (DiTConfig, {"depth": 0}, "depth=0"),
    (ProgressiveUNetConfig, {"resolutions": (16, 8)}, "resolutions"),
    (ProgressiveUNetConfig, {"resolutions": (8, 12)}, "resolutions"),
    (ProgressiveUNetConfig, {"multipliers": (1, 1)}, "multipliers"),
    (PatchAutoencoderConfig, {"patch_size": 5}, "patch_size=5"),
    (PatchAutoencoderConfig, {"heads": 3}, "heads=3"),
    (PatchAutoencoderConfig, {"name": "nothing"}, "name='nothing'"),
    (PatchAutoencoderConfig, {"grids": (2, 3)}, "grids"),
    (PatchAutoencoderConfig, {"grids": (4, 4)}, "grids"),
    (PatchAutoencoderConfig, {"grids": (2, 8)}, "grids"),
  ],
)
def test_what_does_not_fit_is_named(section, change, field):
  with pytest.raises(UserError, match=rf"model\..*{field}"):
    section(**SMALL[section] | change).check(16)


def test_vectors_are_for_an_mlp_and_nothing_else_is():
  MLPConfig().check(1)
  for side in (2, 8, 64):
    with pytest.raises(UserError, match="model.name=mlp"):
      MLPConfig().check(side)
  with pytest.raises(UserError, match="model.width=33"):
    MLPConfig(width=33).check(1)
