r"""A ControlNet that steers a denoiser of the latents of rooms by masks of
walls and furniture.

    python scripts/prepare_layouts.py --input=LAYOUTS --out=layouts
    jaxgen train --config=configs/layouts_ae.py:small --workdir=runs/layouts \
      --config.data.path=layouts
    jaxgen train --config=configs/layouts_ldm.py:small --workdir=runs/rooms \
      --config.data.path=layouts --config.latent.run=runs/layouts
    jaxgen train --config=configs/layouts_control.py:demo --workdir=runs/plans \
      --config.data.path=layouts --config.latent.run=runs/layouts \
      --config.control.base=runs/rooms
    jaxgen sample --workdir=runs/plans --num=36 --out=new --hint=validation

Network, conditions and autoencoder are those of the denoiser. All of it in one
sweep: configs/sweeps/layouts_control.py. The direct way is a denoiser of pixels
that is told the masks from the start:

    jaxgen train --config=configs/folder_edm.py:demo --workdir=runs/direct \
      --config.data.path=layouts --config.data.masks=masks \
      --config.hint.kind=segments --config.hint.num_classes=8
"""

from jaxgen.config.defaults import control, unet
from jaxgen.config.variants import check_variant, short, smoke, tuned


def get_config(variant: str = ""):
  """The config at 256 pixels, latents of 32 x 32; `demo`: 64 pixels, latents of
  8 x 8, minutes on two CPU cores; `smoke`: for tests."""
  check_variant(variant, ("demo", "smoke"))
  config = control(unet())
  config.control.base = "runs/rooms"
  config.latent.run = "runs/layouts"
  config.hint.update(
    kind="segments",
    num_classes=8,
  )
  config.data.update(
    source="folder",
    path="layouts",
    masks="masks",
    crop="whole",
    flips=True,
    rot90=True,
  )
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
    images=(500_000,),
    batch_size=(64,),
  )
  if variant:
    config.model.update(
      width=48,
      multipliers=(1, 2),
      attention=(False, True),
      num_res_blocks=1,
    )
    tuned(short(config, 24_000, resolution=64))
  return smoke(config) if variant == "smoke" else config
