r"""A denoiser (EDM) of the latents of a convolutional autoencoder of rooms.

    python scripts/prepare_layouts.py --input=LAYOUTS --out=layouts
    jaxgen train --config=configs/layouts_ae.py:small --workdir=runs/layouts \
      --config.data.path=layouts
    jaxgen train --config=configs/layouts_ldm.py:small --workdir=runs/rooms \
      --config.data.path=layouts --config.latent.run=runs/layouts
    jaxgen sample --workdir=runs/rooms --num=36 --out=new --class=bedroom

The condition is the use of the room.
"""

from jaxgen.config.defaults import denoiser, unet
from jaxgen.config.variants import check_variant, short, smoke


def get_config(variant: str = ""):
  """The config at 256 pixels, latents of 32 x 32; `small`: 64 pixels, latents
  of 8 x 8, minutes on two CPU cores; `smoke`: for tests."""
  check_variant(variant, ("small", "smoke"))
  config = denoiser(unet())
  config.data.update(
    source="folder",
    path="layouts",
    crop="whole",
    flips=True,
    rot90=True,
  )
  config.latent.run = "runs/layouts"
  config.diffusion.update(
    sigma_max=20.0,  # 40 times the latents' deviation
    conditions=("label",),
  )
  config.model.update(
    width=96,
    dropout=0.1,
    head_dim=48,
    time_frequency=16.0,
  )
  config.stages.update(
    resolution=(256,),
    images=(1_000_000,),
    batch_size=(64,),
  )
  if variant:
    config.latent.views = 16
    config.model.update(
      width=48,
      multipliers=(1, 2),
      attention=(False, True),
      num_res_blocks=1,
    )
    short(config, 48_000, resolution=64)
  return smoke(config) if variant == "smoke" else config
