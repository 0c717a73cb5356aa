r"""A patch autoencoder for your own images.

    jaxgen train --config=configs/folder_patch_ae.py --workdir=runs/mine \
      --config.data.path=MY_IMAGES

MY_IMAGES contains PNG, JPEG, WebP, TIFF or BMP files; one subfolder per class,
or an index.csv with columns file and label, defines labels. By default tiles
are random 64-pixel squares cut from the images. Alternatives:

    --config.data.crop=whole          each image is one tile (faces, objects)
    --config.data.crop_size=256       cut 256 pixels and resize them to 64
    --config.data.split_by=regions    few images: hold out a strip of each
    --config.data.channels=1          gray

`demo` is a small model for two CPU cores.

The loss is the logarithm of the squared error plus LPIPS (AlexNet; the extra
`perceptual`, and images of 1 or 3 channels: else --config.loss.lpips_alex=0).

Measured, `:demo` on 17 photographs of rock, sand and gravel
(`split_by=regions`), one run: after 40,000 images held-out PSNR 29.03 dB and
LPIPS 0.141; PCA with as many dimensions has 28.74 dB and 0.369. 9 minutes of
CPU time. Across the borders of patches neighboring pixels differ 1.015 times as
much as inside (1.040 in the photographs). Without LPIPS in the loss: 29.48 dB
and 0.399 after 64,000 images.
"""

from jaxgen.config.defaults import autoencoder
from jaxgen.config.variants import check_variant, smoke


def get_config(variant: str = ""):
  """The config at 64 pixels; `demo`: minutes on two CPU cores; `smoke`:
  seconds, for tests."""
  check_variant(variant, ("demo", "smoke"))
  config = autoencoder()
  config.data.source = "folder"
  config.model.update(
    patch_size=8,
    overlap=0.5,
    width=256,
    encoder_depth=3,
    decoder_depth=3,
    heads=4,
    latent_dim=256,
  )
  config.loss.lpips_alex = 1.0
  config.stages.update(
    resolution=(64,),
    images=(400_000,),
    batch_size=(128,),
  )
  if variant == "demo":
    config.model.update(
      width=128,
      encoder_depth=2,
      decoder_depth=2,
      latent_dim=128,
    )
    config.stages.update(
      images=(40_000,),
      batch_size=(64,),
    )
    config.optimizer.update(
      warmup_images=4_000,
      ema_halflife=4_000,
    )
    config.train.update(
      evaluate_images=10_000,
      save_images=10_000,
      preview_images=10_000,
    )
  return smoke(config) if variant == "smoke" else config
