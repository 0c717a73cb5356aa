r"""A denoiser (EDM) of the latents of a variational autoencoder of faces.

    jaxgen train --config=configs/faces_vae.py:small --workdir=runs/faces \
      --config.data.path=MY_FACES
    jaxgen train --config=configs/faces_ldm.py:small --workdir=runs/new_faces \
      --config.data.path=MY_FACES --config.latent.run=runs/faces
    jaxgen sample --workdir=runs/new_faces --num=36 --out=new

In training, latents are drawn from the posteriors of the autoencoder. Its
vectors of 1024 numbers have a denoiser of vectors; `small` has latents of 8 x 8
x 16 and a U-Net.
"""

from jaxgen.config.defaults import denoiser, mlp, unet
from jaxgen.config.variants import check_variant, short, smoke


def get_config(variant: str = ""):
  """The config at 256 pixels; `small`: 64 pixels, minutes on two CPU cores;
  `smoke`: for tests."""
  check_variant(variant, ("small", "smoke"))
  config = denoiser(unet() if variant else mlp())
  config.latent.run = "runs/faces"
  config.diffusion.sigma_max = 20.0  # 40 times the latents' deviation
  config.data.update(
    source="tfds",
    path="celeb_a",
    crop="whole",
    hflip=True,
    upsample=True,  # CelebA's images are 178 pixels wide
  )
  if not variant:
    config.model.update(
      width=1024,
      depth=8,
      dropout=0.1,
    )
    config.stages.update(
      images=(20_000_000,),
      batch_size=(256,),
    )
    return config
  config.latent.views = 8
  config.data.update(
    source="folder",
    path="",
    upsample=False,
  )
  config.model.update(
    multipliers=(1, 2),
    attention=(False, True),
    num_res_blocks=1,
    dropout=0.1,
    time_frequency=16.0,
  )
  short(config, 80_000, resolution=64)
  return smoke(config) if variant == "smoke" else config
