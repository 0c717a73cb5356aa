r"""A conditional denoiser (EDM) of the latents of an autoencoder of rock tiles:
small images, of which each position is a token of a transformer.

    jaxgen train --config=configs/rocks_ae.py:demo --workdir=runs/rocks_ae
    jaxgen train --config=configs/rocks_ldm.py:demo --workdir=runs/rocks_ldm \
      --config.latent.run=runs/rocks_ae
    jaxgen sample --workdir=runs/rocks_ldm --num=36 --out=new --guidance=2 \
      --rock_type=granite

Conditions: rock type, color scheme, texture pattern and zoom level, all
optional.
"""

from jaxgen.config.defaults import denoiser, dit
from jaxgen.config.variants import check_variant, short, smoke


def get_config(variant: str = ""):
  """The config at 256 pixels, latents of 32 x 32; `demo`: 64 pixels, latents of
  8 x 8, at most 20 minutes on two CPU cores; `smoke`: seconds, for tests."""
  check_variant(variant, ("demo", "smoke"))
  config = denoiser(dit())
  config.data.update(
    source="rocks",
    num_tiles=16_384,
    flips=True,
    rot90=True,
  )
  config.latent.run = "runs/rocks_ae"
  config.diffusion.update(
    sigma_max=20.0,  # 40 times the latents' deviation
    conditions=(
      "rock_type",
      "color_scheme",
      "texture_pattern",
      "zoom_level",
    ),
  )
  config.model.update(
    patch_size=2,
    width=384,
    depth=12,
    heads=6,
    time_frequency=16.0,
  )
  config.stages.update(
    resolution=(256,),
    images=(4_000_000,),
    batch_size=(256,),
  )
  if variant:
    config.data.num_tiles = 4_096
    config.latent.views = 4
    config.model.update(
      patch_size=1,
      width=192,
      depth=4,
      heads=4,
    )
    short(
      config,
      96_000,
      resolution=64,
      batch_size=64,
      warmup_images=8_000,
      ema_halflife=8_000,
    )
  return smoke(config) if variant == "smoke" else config
