r"""CIFAR-10 with the hyperparameters of EDM (Karras et al. 2022, table 7).

    jaxgen train --config=configs/cifar10_edm.py --workdir=runs/cifar10 \
      --config.data.path=cifar10@MY_TFDS_FOLDER
    jaxgen train --config=configs/cifar10_edm.py --workdir=runs/cifar10 \
      --config.data.source=folder --config.data.path=MY_CIFAR10_IMAGES

DDPM++ with 128 channels, Adam at 1e-3, batches of 512, an EMA half-life of 0.5
million images, 200 million images, left-right flips. The rest of the paper's
augmentation is not included, and this config has not been fully trained.

Measured, `:demo` on 10,000 of the images as JPEGs (`folder`): held-out
denoising PSNR 27.21 dB after 44,000 images, in 22 min 27 s on two CPU cores
shared with other work (34 images/s), at most 2.7 GiB. 256 samples by `heun-18`
with guidance 1.5, and in brackets 256 other real images: Frechet distance
(VGG16) 48.5, 40.8 to 59.7 (42.1, 35.4 to 50.1), KID 0.030 (0.001), precision
0.80 (0.71), recall 0.30 (0.73); no memorized images. Colors and lighting are
realistic, but there are no recognizable objects yet: a classifier with an
accuracy of 54% on real images predicts the requested class for 22% of the
samples (chance: 10%). Not trained on a GPU.
"""

from jaxgen.config.defaults import denoiser, unet
from jaxgen.config.variants import check_variant, demo, smoke


def get_config(variant: str = ""):
  """The config of the paper; `demo`: a small U-Net for two CPU cores; `smoke`:
  seconds, for tests."""
  check_variant(variant, ("demo", "smoke"))
  config = denoiser(unet())
  config.data.update(
    source="tfds",
    path="cifar10",
    crop="whole",
    hflip=True,
  )
  config.diffusion.conditions = ("label",)
  config.stages.update(
    resolution=(32,),
    images=(200_000_000,),
    batch_size=(512,),
  )
  if not variant:
    config.model.update(
      width=128,
      multipliers=(2, 2, 2),
      num_res_blocks=4,
      dropout=0.13,
    )
    config.optimizer.update(
      name="adamw",
      learning_rate=1e-3,
      b2=0.999,
      schedule="constant",
      warmup_images=10_000_000,
      ema_halflife=500_000,
      clip_norm=0.0,
    )
    return config
  return smoke(demo(config)) if variant == "smoke" else demo(config)
