r"""A prior (EDM) of gray fluorescence images, to restore them from few photons.

    jaxgen train --config=configs/restore_microscopy.py --workdir=runs/cells \
      --config.data.path=MY_IMAGES

TIFF of any depth, each page an image, with

    --config.data.value_range='(BLACK, WHITE)'

where white is not that of the type, as for cameras of 12 bits. Channels of a
multi-channel microscope are taken together with --config.data.channels=N.

The denoiser is told the noise of each pixel (`diffusion.noise_map`).

`demo` is a small U-Net for two CPU cores, at 32 pixels; `progressive` grows
from 32 to 64, 96 and 128 pixels, for a GPU or TPU. Measured, `:demo`: one
call is 2.6 dB above Anscombe + BM3D at 5 photons, see docs/restoration.md.
`progressive` has not been trained.
"""

from jaxgen.config.defaults import denoiser, multiscale_unet, unet
from jaxgen.config.variants import check_variant, demo, progressive, smoke


def get_config(variant: str = ""):
  """The config at 128 pixels, for a GPU or TPU; `demo`: 25 minutes on two CPU
  cores; `progressive`: with four resolutions; `smoke`: seconds, for tests."""
  check_variant(variant, ("demo", "progressive", "smoke"))
  grows = variant == "progressive"
  config = denoiser(multiscale_unet() if grows else unet())
  config.data.update(
    source="folder",
    channels=1,
    flips=True,
    rot90=True,
    on_bad="skip",
  )
  config.diffusion.noise_map = True
  if grows:
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
