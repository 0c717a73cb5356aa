"""A patch autoencoder of the built-in texture photographs.

    jaxgen train --config=configs/textures_patch_ae.py:demo --workdir=runs/demo

No download: gravel, brick and grass, 512 x 512 pixels, are part of
scikit-image. The bottom quarter of each photograph is held out.

Measured, `:demo`: 28.00 dB held-out PSNR after 64,000 images, in less than two
minutes on two CPU cores; PCA with 64 dimensions has 25.88 dB, the mean image
17.26 dB.
"""

from jaxgen.config.defaults import autoencoder
from jaxgen.config.variants import check_variant, smoke


def get_config(variant: str = ""):
  """The config at 32 pixels; `demo`: two minutes on two CPU cores; `smoke`:
  seconds, for tests."""
  check_variant(variant, ("demo", "smoke"))
  config = autoencoder()
  config.data.channels = 1
  config.model.update(
    patch_size=8,
    overlap=0.5,
    width=128,
    encoder_depth=2,
    decoder_depth=2,
    heads=4,
    latent_dim=64,
    patch_features=48,
  )
  config.stages.update(
    resolution=(32,),
    images=(2_000_000,),
    batch_size=(64,),
  )
  if variant == "demo":
    config.stages.images = (64_000,)
    config.optimizer.update(
      warmup_images=6_000,
      ema_halflife=5_000,
    )
    config.train.update(
      evaluate_images=16_000,
      save_images=16_000,
      preview_images=16_000,
    )
  return smoke(config) if variant == "smoke" else config
