r"""A prior (EDM) of gray astronomical images, to restore them from few photons.

    jaxgen train --config=configs/restore_astronomy.py --workdir=runs/sky \
      --config.data.path=MY_IMAGES --config.data.value_range='(BLACK, WHITE)'

FITS (extra `astronomy`), TIFF and all other images; black is the bias with
the sky, white the brightest value to be restored. Few large images are divided
into regions: an end of each is held out.

The denoiser is told the noise of each pixel (`diffusion.noise_map`).

`demo` is a small U-Net for two CPU cores, at 32 pixels, and `growing` one that
grows from 16 to 32 pixels, with the same operations; `progressive` has stages
of 32, 64, 96 and 128 pixels, for a GPU or TPU. Measured, `:demo`: one call is
1.0 to 1.7 dB above Anscombe + BM3D at 5 to 100 photons, docs/restoration.md.
The other variants have not been trained.
"""

from jaxgen.config.variants import restoration_prior


def get_config(variant: str = ""):
  """The config at 128 pixels, for a GPU or TPU; `demo`: 25 minutes on two CPU
  cores; `growing`: the same by a U-Net that grows; `progressive`: with four
  resolutions; `smoke`: seconds, for tests."""
  config = restoration_prior(variant)
  config.data.update(
    channels=1,
    split_by="regions",
    flips=True,
    rot90=True,
  )
  return config
