"""Construction of Flax modules from config sections."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp

from jaxgen.config.models import ModelConfig
from jaxgen.config.stages import Remat
from jaxgen.diffusion.edm import SIGMA_DATA
from jaxgen.models.conditioning import ConditionSizes, ImageConditions
from jaxgen.models.control import ControlDiT, ControlNetwork, ControlUNet
from jaxgen.models.conv_autoencoder import ConvAutoencoder
from jaxgen.models.ddpm_unet import DDPMUNet
from jaxgen.models.discriminator import Discriminator
from jaxgen.models.dit import DiT
from jaxgen.models.kl_autoencoder import KLAutoencoder
from jaxgen.models.mlp import MLPDenoiser
from jaxgen.models.multiscale_unet import MultiScaleUNet
from jaxgen.models.network import Network
from jaxgen.models.patch_autoencoder import PatchAutoencoder
from jaxgen.models.progressive_unet import ProgressiveUNet
from jaxgen.models.song_unet import SongUNet
from jaxgen.models.unet import UNet
from jaxgen.models.upscaler import EDSR, RRDB, Compact
from jaxgen.parallel import device

NETWORKS: dict[str, type[Network]] = {
  "patch_autoencoder": PatchAutoencoder,
  "conv_autoencoder": ConvAutoencoder,
  "kl_autoencoder": KLAutoencoder,
  "unet": UNet,
  "progressive_unet": ProgressiveUNet,
  "multiscale_unet": MultiScaleUNet,
  "ddpm_unet": DDPMUNet,
  "song_unet": SongUNet,
  "dit": DiT,
  "mlp": MLPDenoiser,
  "compact": Compact,
  "edsr": EDSR,
  "rrdb": RRDB,
}
CONTROL_NETWORKS: dict[str, type[ControlNetwork]] = {
  "unet": ControlUNet,
  "dit": ControlDiT,
}


def compute_dtype(name: str) -> jnp.dtype:
  """The dtype of a computation; `auto` is bfloat16 on devices with hardware
  for it, else float32."""
  if name == "auto":
    name = "bfloat16" if device.computes_in_bfloat16() else "float32"
  return jnp.dtype(name)


def build(
  options: ModelConfig,
  *,
  resolution: int,
  channels: int,
  condition_sizes: ConditionSizes = (),
  image_conditions: ImageConditions = (),
  num_classes: int = 0,
  factor: int = 0,
  hint_factor: int = 0,
  sigma_data: float = SIGMA_DATA,
  remat: Remat = "none",
) -> Network:
  """Build the network of a section `model`.

  Args:
    options: the section.
    resolution: side of the images in pixels.
    channels: channels of the images.
    condition_sizes: name and number of values of each condition (denoisers).
    image_conditions: name and channels of image conditions (denoisers).
    num_classes: classes predicted from the latent (`conv_autoencoder`).
    factor: enlargement (networks that enlarge).
    hint_factor: the side of hints over that of the features that they are added
      to; other than 0: the ControlNet of the network.
    sigma_data: standard deviation of the images (`progressive_unet`).
    remat: activations recomputed in the backward pass.
  """
  inputs: dict[str, Any] = {
    "resolution": resolution,
    "channels": channels,
    "condition_sizes": condition_sizes,
    "image_conditions": image_conditions,
    "num_classes": num_classes,
    "factor": factor,
    "hint_factor": hint_factor,
    "sigma_data": sigma_data,
    "remat": remat,
    "dtype": compute_dtype(options.dtype),
  }
  networks: Any = CONTROL_NETWORKS if hint_factor else NETWORKS
  network = networks[options.name]
  known = {x.name for x in dataclasses.fields(network)}
  known_inputs = {k: v for k, v in inputs.items() if k in known}
  return network(options=options, **known_inputs)


def build_discriminator(width: int, *, dtype: str) -> Discriminator:
  """Build a discriminator that computes in the type of a section `model`."""
  return Discriminator(width=width, dtype=compute_dtype(dtype))
