"""From a config to a model: the one place that knows models by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp

from jaxgen.config.fields import check, check_value
from jaxgen.errors import UserError
from jaxgen.models.conv_autoencoder import ConvAutoencoder
from jaxgen.models.dit import DiT
from jaxgen.models.multiscale_unet import MultiScaleUNet
from jaxgen.models.patch_autoencoder import PatchAutoencoder
from jaxgen.models.progressive_unet import ProgressiveUNet
from jaxgen.models.unet import UNet

MODELS = {
  "patch_autoencoder": PatchAutoencoder,
  "conv_autoencoder": ConvAutoencoder,
  "unet": UNet,
  "progressive_unet": ProgressiveUNet,
  "multiscale_unet": MultiScaleUNet,
  "dit": DiT,
}
DTYPES = ("auto", "float32", "bfloat16")


def compute_dtype(name: str) -> jnp.dtype:
  """`auto` is bfloat16 where the device has it in hardware (GPU, TPU)."""
  if name == "auto":
    name = "float32" if jax.default_backend() == "cpu" else "bfloat16"
  return jnp.dtype(name)


def build(model: Mapping[str, Any], **given: Any):
  """The flax module that `model.name` names.

  Args:
    model: the section of a config: name, dtype, and fields of the module.
    **given: further fields: the images' resolution and channels, for denoisers
      the conditions' sizes.

  Raises:
    UserError: an unknown name or field, a value that is not allowed, or numbers
      that do not go together.
  """
  options = dict(model)
  name, dtype = options.pop("name", None), options.pop("dtype", "auto")
  check_value("model.name", Literal[*MODELS], name)
  check_value("model.dtype", Literal[*DTYPES], dtype)
  fields: Any = dataclasses.fields(MODELS[name])
  known = {x.name for x in fields} - {"parent", "name"}
  if foreign := ", ".join(given.keys() - known):
    raise UserError(f"model.name={name}: this model knows no {foreign}.")
  ours = known - given.keys()
  for field in options.keys() - ours:
    raise UserError(f"model.{field}: {name} has no such option.")
  check(MODELS[name], "model", options)
  module = MODELS[name](dtype=compute_dtype(dtype), **given, **options)
  module.check()
  return module
