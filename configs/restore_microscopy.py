r"""A prior (EDM) of gray fluorescence images, to restore them from few photons.

    jaxgen train --config=configs/restore_microscopy.py --workdir=runs/cells \
      --config.data.path=MY_IMAGES

TIFF of any depth, each page an image, with

    --config.data.value_range='(BLACK, WHITE)'

where white is not that of the type, as for cameras of 12 bits. Channels of a
multi-channel microscope are taken together with --config.data.channels=N.

The denoiser is told the noise of each pixel (`diffusion.noise_map`).

`demo` is a small U-Net for two CPU cores, at 32 pixels, and `growing` one that
grows from 16 to 32 pixels, with the same operations; `progressive` has stages
of 32, 64, 96 and 128 pixels, for a GPU or TPU. Measured: one call of `:demo` is
2.6 dB above Anscombe + BM3D at 5 photons, and `:growing` better by .7 dB; on
whole images of 256 pixels by 2.5 and 3.3 dB, see docs/restoration.md.
`progressive` has not been trained.
"""

from jaxgen.config.variants import restoration_prior


def get_config(variant: str = ""):
  """The config at 128 pixels, for a GPU or TPU; `demo`: 25 minutes on two CPU
  cores; `growing`: the same by a U-Net that grows; `progressive`: with four
  resolutions; `smoke`: seconds, for tests."""
  config = restoration_prior(variant)
  config.data.update(
    channels=1,
    flips=True,
    rot90=True,
  )
  return config
