r"""A prior (EDM) of photographs, to restore them from few photons.

    jaxgen train --config=configs/restore_photo.py --workdir=runs/photo \
      --config.data.path=MY_PHOTOS

Any images of 8 or 16 bits, camera raw files (extra `raw`), of which the four
colors of the mosaic are channels, with --config.data.channels=4. Clean
photographs make the best prior: long exposures, low sensitivity.

The denoiser is told the noise of each pixel (`diffusion.noise_map`).

`demo` is a small U-Net for two CPU cores, at 32 pixels, and `growing` one that
grows from 16 to 32 pixels, with the same operations; `progressive` has stages
of 32, 64, 96 and 128 pixels, for a GPU or TPU. Measured, `:demo`:
one call is 1.9, 2.1 and 2.6 dB above Anscombe + BM3D at 5, 20 and 100 photons,
and intervals of 68 % cover 69 to 70 %, see docs/restoration.md. `progressive`
has not been trained.
"""

from jaxgen.config.variants import restoration_prior


def get_config(variant: str = ""):
  """The config at 128 pixels, for a GPU or TPU; `demo`: 25 minutes on two CPU
  cores; `growing`: the same by a U-Net that grows; `progressive`: with four
  resolutions; `smoke`: seconds, for tests."""
  config = restoration_prior(variant)
  config.data.hflip = True
  return config
