"""A convolutional autoencoder of rock tiles that predicts minerals and rock
types.

    jaxgen train --config=configs/rocks_ae.py:demo --workdir=runs/rocks_ae

Procedural rocks need no files, and their masks and types are exact. The loss
weights are those of the reference system: squared error 1, segmentation 0.05,
classification 0.01.

Measured, `:demo` (64 pixels, latents of 8 x 8 x 8) after 40,000 images in 21
min 19 s on two CPU cores shared with other work (31 images/s); 410 held-out
tiles: PSNR 23.87 dB, SSIM 0.696, LPIPS (AlexNet) 0.256, MSE 0.0053 on [0, 1];
mIoU of the minerals 0.477 (pixel accuracy 64%), accuracy of the rock type 94%.
PCA with as many dimensions has 24.47 dB, which the small network has not
reached yet, but a larger error in fine detail (0.00266, here 0.00235).
"""

from jaxgen.config.defaults import autoencoder, conv_autoencoder
from jaxgen.config.variants import check_variant, smoke


def get_config(variant: str = ""):
  """The config at 256 pixels; `demo`: 64 pixels, minutes on two CPU cores;
  `smoke`: for tests."""
  check_variant(variant, ("demo", "smoke"))
  config = autoencoder(conv_autoencoder())
  config.data.update(
    source="rocks",
    num_tiles=16_384,
    flips=True,
    rot90=True,
  )
  config.model.update(
    latent_channels=8,
    num_seg_classes=6,
  )
  config.loss.update(
    log_mse=0.0,
    mse=1.0,
    segmentation=0.05,
    classification=0.01,
    label="rock_type",
  )
  config.optimizer.update(
    learning_rate=0.01,
    adam_learning_rate=0.003,
  )
  config.stages.update(
    resolution=(256,),
    images=(1_000_000,),
    batch_size=(64,),
  )
  if variant:
    config.data.num_tiles = 4_096
    config.model.update(
      base_channels=16,
      num_res_blocks=1,
    )
    config.stages.update(
      resolution=(64,),
      images=(40_000,),
      batch_size=(32,),
    )
    config.optimizer.update(
      warmup_images=4_000,
      ema_halflife=4_000,
    )
    config.train.update(
      evaluate_images=10_000,
      save_images=10_000,
    )
  return smoke(config) if variant == "smoke" else config
