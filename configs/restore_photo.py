r"""A prior (EDM) of photographs, to restore them from few photons.

    jaxgen train --config=configs/restore_photo.py --workdir=runs/photo \
      --config.data.path=MY_PHOTOS

Any images of 8 or 16 bits, camera raw files (extra `raw`), of which the four
colors of the mosaic are channels, with --config.data.channels=4. Clean
photographs make the best prior: long exposures, low sensitivity.

The denoiser is told the noise of each pixel (`diffusion.noise_map`).

`demo` is a small U-Net for two CPU cores, at 32 pixels; `progressive` grows
from 32 to 64, 96 and 128 pixels, for a GPU or TPU. Measured, `:demo`:
one call is 1.9, 2.1 and 2.6 dB above Anscombe + BM3D at 5, 20 and 100 photons,
and intervals of 68 % cover 69 to 70 %, see docs/restoration.md. `progressive`
has not been trained.
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
    hflip=True,
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
