r"""A denoiser (EDM) for your own images.

    jaxgen train --config=configs/folder_edm.py --workdir=runs/mine \
      --config.data.path=MY_IMAGES

For the layout of the folder and the cutting of tiles see
configs/folder_patch_ae.py. With classes (one subfolder each, or an index.csv)

    --config.diffusion.conditions='("label",)'

makes the denoiser conditional, and `jaxgen sample --class=NAME` selects one.
`demo` is a small U-Net at 32 pixels for two CPU cores.

Measured, `:demo` on 1,300 aligned faces of Labeled Faces in the Wild
(`--config.data.crop=whole --config.data.hflip=True`), one run each: after
20,000 images held-out denoising PSNR 27.24 dB; 14 minutes of CPU time. 256
samples by `heun-18`, and in brackets 256 other real faces: Frechet distance
(VGG16) 26.9, 23.5 to 32.0 (9.0, 7.0 to 11.7), KID 0.073 (0.006), precision 0.73
(0.86), recall 0.60 (0.88); no memorized images. With 44,000 images
(`--config.stages.images='(44_000,)'`) 27.60 dB, Frechet distance 16.2, 13.2 to
19.6 (7.6, 5.3 to 10.5), KID 0.038, precision 0.84, recall 0.74.
"""

from jaxgen.config.defaults import denoiser, unet
from jaxgen.config.variants import check_variant, demo, smoke


def get_config(variant: str = ""):
  """The config at 64 pixels; `demo`: minutes on two CPU cores; `smoke`:
  seconds, for tests."""
  check_variant(variant, ("demo", "smoke"))
  config = denoiser(unet())
  config.data.source = "folder"
  if not variant:
    config.model.update(
      width=128,
      dropout=0.1,
    )
    config.stages.update(
      resolution=(64,),
      images=(10_000_000,),
      batch_size=(256,),
    )
    return config
  config = demo(config, images=20_000)
  config.optimizer.update(
    warmup_images=2_000,
    ema_halflife=2_500,
  )
  return smoke(config) if variant == "smoke" else config
