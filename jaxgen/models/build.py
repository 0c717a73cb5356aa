"""From a config section to a flax module: the one place that knows them all."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.config.experiment import vars_of
from jaxgen.config.models import ModelConfig
from jaxgen.config.stages import Remat
from jaxgen.models.conv_autoencoder import ConvAutoencoder
from jaxgen.models.dit import DiT
from jaxgen.models.multiscale_unet import MultiScaleUNet
from jaxgen.models.patch_autoencoder import PatchAutoencoder
from jaxgen.models.progressive_unet import ProgressiveUNet
from jaxgen.models.unet import UNet

MODULES: dict[str, Any] = {
  "patch_autoencoder": PatchAutoencoder,
  "conv_autoencoder": ConvAutoencoder,
  "unet": UNet,
  "progressive_unet": ProgressiveUNet,
  "multiscale_unet": MultiScaleUNet,
  "dit": DiT,
}


def compute_dtype(name: str) -> jnp.dtype:
  """`auto` is bfloat16 where the device has it in hardware (GPU, TPU)."""
  if name == "auto":
    name = "float32" if jax.default_backend() == "cpu" else "bfloat16"
  return jnp.dtype(name)


def build(
  config: ModelConfig,
  *,
  resolution: int,
  channels: int,
  remat: Remat = "none",
  **given: Any,
) -> Any:
  """The flax module of a section `model`.

  Args:
    config: the section.
    resolution: of the images.
    channels: of the images.
    remat: what the gradient computes again.
    **given: sizes that come from elsewhere (conditions, classes), for the
      modules that have them.
  """
  module = MODULES[config.name]
  fields = (
    vars_of(config)
    | given
    | {
      "resolution": resolution,
      "channels": channels,
      "remat": remat,
      "dtype": compute_dtype(config.dtype),
    }
  )
  known = {x.name for x in dataclasses.fields(module)} - {"parent", "name"}
  return module(**{k: v for k, v in fields.items() if k in known})
