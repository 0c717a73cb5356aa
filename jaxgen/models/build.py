"""From a config to a model: the one place that knows models by name."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxgen.errors import UserError
from jaxgen.models.patch_autoencoder import PatchAutoencoder

MODELS = {"patch_autoencoder": PatchAutoencoder}


def compute_dtype(name: str) -> jnp.dtype:
  """`auto` is bfloat16 where the device has it in hardware (GPU, TPU)."""
  if name == "auto":
    name = "float32" if jax.default_backend() == "cpu" else "bfloat16"
  return jnp.dtype(name)


def build(*, name: str, resolution: int, channels: int, dtype: str, **options):
  """The flax module `name` for images `(b, resolution, resolution, channels)`.

  Raises:
    UserError: an unknown name, or a patch size that does not divide.
  """
  if name not in MODELS:
    raise UserError(f"model.name={name!r}: known are {', '.join(MODELS)}.")
  patch, heads = options["patch_size"], options["heads"]
  if resolution % patch:
    raise UserError(
      f"model.patch_size={patch} does not divide the resolution {resolution}."
    )
  if options["width"] % heads:
    raise UserError(
      f"model.heads={heads} does not divide model.width={options['width']}."
    )
  return MODELS[name](
    resolution=resolution,
    channels=channels,
    dtype=compute_dtype(dtype),
    **options,
  )
