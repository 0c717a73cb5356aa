"""Configs with all fields at their defaults, for config files to modify."""

from __future__ import annotations

from typing import Any

from ml_collections import ConfigDict

from jaxgen.config import denoisers, models, upscalers
from jaxgen.config.experiment import TASK_SECTIONS
from jaxgen.config.fields import field_defaults
from jaxgen.config.parse import SECTIONS
from jaxgen.config.stages import Stage


def autoencoder(model: Any = None) -> Any:
  """The base config of an autoencoder, by default `patch_autoencoder()`."""
  return _base("autoencoder", patch_autoencoder() if model is None else model)


def denoiser(model: Any) -> Any:
  """The base config of a denoiser with a model such as `unet()` or `dit()`."""
  config = _base("diffusion", model)
  config.optimizer.ema_sigma_rels = (0.05, 0.10)
  return config


def consistency(model: Any) -> Any:
  """The base config of a few-step model with a model as of `denoiser`: at a
  constant rate, since a curriculum has to reach high noise levels late."""
  config = _base("consistency", model)
  config.optimizer.schedule = "constant"
  return config


def control(model: Any) -> Any:
  """The base config of a ControlNet with the model of the denoiser that it
  steers, `unet()` or `dit()`: every image has a hint, since without one it is
  that denoiser."""
  config = _base("control", model)
  config.hint.drop_prob = 0.0
  config.optimizer.ema_sigma_rels = (0.05, 0.10)
  return config


def upscaler(model: Any = None) -> Any:
  """The base config of an upscaler, by default `compact()`."""
  return _base("upscale", compact() if model is None else model)


def _base(task: str, model: Any) -> Any:
  config: Any = ConfigDict({"task": task, "seed": 0})
  for name in TASK_SECTIONS[task]:
    config[name] = model if name == "model" else _section(name)
  return config


def _section(name: str) -> ConfigDict:
  if name == "stages":
    columns = {k: (v,) for k, v in field_defaults(Stage).items()}
    return ConfigDict(columns)
  return ConfigDict(field_defaults(SECTIONS[name]))


def patch_autoencoder() -> Any:
  """A transformer on patches that encodes an image to a latent."""
  return ConfigDict(field_defaults(models.PatchAutoencoderConfig))


def conv_autoencoder() -> Any:
  """A residual convolutional autoencoder with spatial or vector latents."""
  return ConfigDict(field_defaults(models.ConvAutoencoderConfig))


def kl_autoencoder() -> Any:
  """The autoencoder of latent diffusion; diffusers' AutoencoderKL."""
  return ConfigDict(field_defaults(models.KLAutoencoderConfig))


def unet() -> Any:
  """The U-Net of EDM and DDPM++."""
  return ConfigDict(field_defaults(denoisers.UNetConfig))


def progressive_unet() -> Any:
  """A U-Net that grows with the stages of its run."""
  return ConfigDict(field_defaults(denoisers.ProgressiveUNetConfig))


def multiscale_unet() -> Any:
  """A U-Net that sees the image at several sizes at once."""
  return ConfigDict(field_defaults(denoisers.MultiScaleUNetConfig))


def ddpm_unet() -> Any:
  """The U-Net of DDPM; diffusers' UNet2DModel."""
  return ConfigDict(field_defaults(models.DDPMUNetConfig))


def song_unet() -> Any:
  """The U-Net `ddpmpp` of EDM's pickles."""
  return ConfigDict(field_defaults(models.SongUNetConfig))


def dit() -> Any:
  """A transformer on patches."""
  return ConfigDict(field_defaults(denoisers.DiTConfig))


def mlp() -> Any:
  """Residual blocks of two layers, for latents that are vectors."""
  return ConfigDict(field_defaults(denoisers.MLPConfig))


def compact() -> Any:
  """Convolutions at the size of the small image, for a CPU."""
  return ConfigDict(field_defaults(upscalers.CompactConfig))


def edsr() -> Any:
  """Residual blocks and pixel shuffles."""
  return ConfigDict(field_defaults(upscalers.EDSRConfig))


def rrdb() -> Any:
  """Residual-in-residual dense blocks."""
  return ConfigDict(field_defaults(upscalers.RRDBConfig))
