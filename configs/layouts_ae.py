r"""A convolutional autoencoder of rooms that predicts furniture and room use.

    python scripts/prepare_layouts.py --input=LAYOUTS --out=layouts
    jaxgen train --config=configs/layouts_ae.py:small --workdir=runs/layouts \
      --config.data.path=layouts

`layouts` contains images/, masks/ and an index.csv of classes; the script
creates it from floor plans, with all floors in one color and whole scenes held
out. The loss weights are those of the reference system: squared error 1,
segmentation 0.05, classification 0.01.

Measured, `:small` (64 pixels, latents of 8 x 8 x 8) on 301 rooms, after 20,000
images in 11 min 30 s on two CPU cores shared with other work (29 images/s); 59
rooms of other scenes: PSNR 27.97 dB, SSIM 0.961, LPIPS (AlexNet) 0.014, MSE
0.0018 on [0, 1] (PCA with as many dimensions: 23.27 dB, 0.687, 0.103, 0.0052);
mIoU of the furniture 0.941. The use of all 59 rooms is predicted correctly: the
colors of the furniture reveal it. Samples have walls and furniture, but are
blurred. The config at 256 pixels has not been trained.
"""

from jaxgen.config.defaults import autoencoder, conv_autoencoder
from jaxgen.config.variants import check_variant, smoke


def get_config(variant: str = ""):
  """The config at 256 pixels; `small`: 64 pixels, minutes on two CPU cores;
  `smoke`: for tests."""
  check_variant(variant, ("small", "smoke"))
  config = autoencoder(conv_autoencoder())
  config.data.update(
    source="folder",
    path="layouts",
    masks="masks",
    crop="whole",
    flips=True,
    rot90=True,
  )
  config.model.update(
    latent_channels=8,
    num_seg_classes=8,
  )
  config.loss.update(
    log_mse=0.0,
    mse=1.0,
    segmentation=0.05,
    classification=0.01,
    label="label",
  )
  config.optimizer.update(
    learning_rate=0.01,
    adam_learning_rate=0.003,
  )
  config.stages.update(
    resolution=(256,),
    images=(400_000,),
    batch_size=(64,),
  )
  if variant:
    config.model.update(
      base_channels=16,
      num_res_blocks=1,
    )
    config.stages.update(
      resolution=(64,),
      images=(20_000,),
      batch_size=(32,),
    )
    config.optimizer.update(
      warmup_images=2_000,
      ema_halflife=2_000,
    )
    config.train.update(
      evaluate_images=5_000,
      save_images=5_000,
    )
  return smoke(config) if variant == "smoke" else config
