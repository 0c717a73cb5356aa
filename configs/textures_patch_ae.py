"""A patch autoencoder on the embedded texture photographs.

jaxgen train --config=configs/textures_patch_ae.py:demo --workdir=runs/demo
"""

from jaxgen.config import autoencoder


def get_config(variant: str = ""):
  """`demo`: a few minutes on two CPU cores. `smoke`: seconds, for tests."""
  config = autoencoder()
  config.data.channels = 1
  config.model.update(
    patch_size=8,
    width=128,
    encoder_depth=2,
    decoder_depth=2,
    heads=4,
    latent_dim=64,
    patch_features=48,
  )
  config.stages.update(
    resolution=(32,), images=(2_000_000,), batch_size=(64,), accumulate=(1,)
  )
  if variant == "demo":
    config.stages.images = (100_000,)
    config.train.update(
      evaluate_images=20_000, save_images=20_000, preview_images=20_000
    )
  elif variant == "smoke":
    config.model.update(width=32, latent_dim=16, patch_features=8)
    config.stages.update(images=(960,), batch_size=(32,))
    config.optimizer.warmup_images = 64
    config.train.update(
      log_images=96,
      evaluate_images=320,
      save_images=320,
      preview_images=640,
      validation_tiles=48,
      bank_tiles=64,
    )
  elif variant:
    raise ValueError(f"no variant {variant!r}; there are demo and smoke")
  return config
