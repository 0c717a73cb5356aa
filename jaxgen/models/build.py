"""From a config to a model: the one place that knows models by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp

from jaxgen.errors import UserError
from jaxgen.models.patch_autoencoder import PatchAutoencoder
from jaxgen.options import check, check_value

MODELS = {"patch_autoencoder": PatchAutoencoder}
DTYPES = ("auto", "float32", "bfloat16", "float16")


def compute_dtype(name: str) -> jnp.dtype:
  """`auto` is bfloat16 where the device has it in hardware (GPU, TPU)."""
  if name == "auto":
    name = "float32" if jax.default_backend() == "cpu" else "bfloat16"
  return jnp.dtype(name)


def build(model: Mapping[str, Any], *, resolution: int, channels: int):
  """The flax module that `model.name` names, for images `(b, resolution,
  resolution, channels)`.

  Args:
    model: the section of a config: name, dtype, and fields of the module.
    resolution: pixels on a side.
    channels: of the images.

  Raises:
    UserError: an unknown name or field, a value that is not allowed, or numbers
      that do not divide.
  """
  options = dict(model)
  name, dtype = options.pop("name", None), options.pop("dtype", "auto")
  check_value("model.name", Literal[*MODELS], name)
  check_value("model.dtype", Literal[*DTYPES], dtype)
  check(MODELS[name], "model", options)
  module = MODELS[name](
    resolution=resolution,
    channels=channels,
    dtype=compute_dtype(dtype),
    **options,
  )
  if resolution % module.patch_size:
    raise UserError(
      f"model.patch_size={module.patch_size} does not divide the resolution "
      f"{resolution}."
    )
  if module.width % module.heads:
    raise UserError(
      f"model.heads={module.heads} does not divide model.width={module.width}."
    )
  return module
