"""Small variants of configs (`FILE.py:demo`, `FILE.py:smoke`)."""

from __future__ import annotations

from typing import Any

from jaxgen.config.defaults import (
  denoiser,
  multiscale_unet,
  progressive_unet,
  unet,
)
from jaxgen.config.models import MODELS


def check_variant(variant: str, known: tuple[str, ...]) -> None:
  """Raise a ValueError for a variant that a config file does not define."""
  if variant and variant not in known:
    names = ", ".join(known)
    raise ValueError(f"variant={variant!r}: expected one of {names}.")


def demo(config: Any, images: int = 44_000) -> Any:
  """A denoiser's config reduced to minutes on two CPU cores, at 32 pixels."""
  config.model.update(MODELS[config.model.name].demo)
  return short(config, images, resolution=32)


def short(
  config: Any,
  images: int,
  *,
  resolution: int,
  batch_size: int = 32,
  warmup_images: int = 4_000,
  ema_halflife: int = 5_000,
) -> Any:
  """A denoiser's or upscaler's config with the stage, rates and intervals of
  minutes on two CPU cores."""
  config.stages.update(
    resolution=(resolution,),
    images=(images,),
    batch_size=(batch_size,),
    accumulate=(1,),
  )
  config.optimizer.update(
    learning_rate=0.01,
    adam_learning_rate=0.005,
    warmup_images=warmup_images,
    ema_halflife=ema_halflife,
  )
  config.train.update(
    evaluate_images=images // 4,
    save_images=images // 4,
    preview_images=images // 4,
    validation_tiles=128,
  )
  return config


def tuned(config: Any) -> Any:
  """A few-step model's config with the rates of `short` reduced to tune a
  denoiser, and an average shorter than a step of the curriculum."""
  config.optimizer.update(
    learning_rate=0.002,
    adam_learning_rate=0.001,
    ema_halflife=config.stages.images[0] // 20,
  )
  return config


def smoke(config: Any) -> Any:
  """A config reduced to seconds on a CPU: the same run with a toy model."""
  model = MODELS[config.model.name]
  config.data.update(num_tiles=64, workers=0)
  config.model.update(model.smoke)
  config.stages.update(images=(model.smoke_images,), batch_size=(32,))
  config.optimizer.update(
    name="adamw",  # compiles in half the time
    learning_rate=0.002,
    warmup_images=64,
    ema_halflife=200,
  )
  if "diffusion" in config:
    config.diffusion.preview_steps = 2
  config.train.update(
    log_images=96,
    evaluate_images=320,
    save_images=320,
    preview_images=640,
    validation_tiles=16,
    latent_cache_tiles=64,
  )
  return config


def upscaler_demo(config: Any, images: int = 27_000) -> Any:
  """An upscaler's config reduced to minutes on a CPU core."""
  config.model.update(MODELS[config.model.name].demo)
  config = short(
    config,
    images,
    resolution=32 * config.data.factor,
    batch_size=16,
    warmup_images=2_000,
    ema_halflife=2_000,
  )
  config.optimizer.adam_learning_rate = 0.002
  return config


def upscaler_smoke(config: Any) -> Any:
  """An upscaler's config reduced to seconds on a CPU."""
  config = smoke(config)
  config.stages.resolution = (16 * config.data.factor,)
  return config


def progressive(config: Any) -> Any:
  """A denoiser's config with stages of 32, 64, 96 and 128 pixels, for a GPU or
  TPU."""
  config.optimizer.schedule = "stage_cosine"  # restarts in each stage
  config.stages.update(
    resolution=(32, 64, 96, 128),
    images=(2_000_000, 1_000_000, 500_000, 500_000),
    batch_size=(128, 64, 32, 32),
    learning_rate_factor=(1.0, 0.7, 0.5, 0.5),
    warmup_images=(0, 10_000, 5_000, 5_000),
    fade_images=(0, 50_000, 25_000, 25_000),
  )
  return config


def growing(config: Any) -> Any:
  """A growing denoiser's config reduced to minutes on two CPU cores: from 16 to
  32 pixels, with the operations of `demo`."""
  config = demo(config)
  config.data.crop_size = 32  # in both stages
  config.model.resolutions = (16, 32)
  config.optimizer.schedule = "stage_cosine"  # restarts in each stage
  config.stages.update(
    resolution=(16, 32),
    images=(48_000, 49_000),
    learning_rate_factor=(1.0, 0.7),
    fade_images=(0, 2_000),
  )
  return config


def restoration_prior(variant: str) -> Any:
  """The config of a denoiser of noise maps, trained on a folder.

  Args:
    variant: empty: 128 pixels, for a GPU or TPU; `demo`: 25 minutes on two CPU
      cores; `growing`: the same by a U-Net that grows; `progressive`: with four
      resolutions; `smoke`: seconds, for tests.
  """
  check_variant(variant, ("demo", "growing", "progressive", "smoke"))
  networks = {"growing": progressive_unet, "progressive": multiscale_unet}
  config = denoiser(networks.get(variant, unet)())
  config.data.update(
    source="folder",
    on_bad="skip",
  )
  config.diffusion.noise_map = True
  if variant == "growing":
    return growing(config)
  if variant == "progressive":
    config.model.update(
      width=48,
      multipliers=(1, 2, 3, 4),
      attention=(False, False, True, True),
      head_dim=48,
    )
    return progressive(config)
  if variant:
    config = demo(config, images=32_000)
    return smoke(config) if variant == "smoke" else config
  config.model.update(
    width=96,
    multipliers=(1, 2, 2, 2),
    attention=(False, False, True, True),
    dropout=0.1,
  )
  config.stages.update(
    resolution=(128,),
    images=(4_000_000,),
    batch_size=(128,),
  )
  return config
