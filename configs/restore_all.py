r"""A prior (EDM) of several domains, to restore images from few photons.

    jaxgen train --config=configs/restore_all.py --workdir=runs/all \
      --config.data.path=MY_DOMAINS

The folder has a folder of gray images for each domain, such as photo/,
microscopy/ and astronomy/ (links are followed), with train/ and validation/
inside or not. Of tiles in `.pt` files, DOMAIN/train/NAME.pt:

    --config.data.source=arrays --config.data.channels=C

The domain is a condition of the denoiser (`jaxgen sample --class=photo`), and
batches have as many tiles of each domain; the loss weighs harder ones more.

The denoiser is told the noise of each pixel (`diffusion.noise_map`).

`demo` is a small U-Net for two CPU cores, at 32 pixels, and `growing` one that
grows from 16 to 32 pixels, with the same operations; `progressive` has stages
of 32, 64, 96 and 128 pixels, for a GPU or TPU. Measured: `:demo`, by domain, in
docs/restoration.md. The others have not been trained.
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
    balance="adaptive",
  )
  config.diffusion.conditions = ("label",)
  return config
