"""A denoiser of 128-pixel rock tiles that processes four sizes at once.

    jaxgen train --config=configs/rocks_edm_multiscale.py --workdir=runs/scales
    jaxgen sample --workdir=runs/scales --num=16 --rock_type=granite --out=new

For comparison with configs/rocks_edm_progressive.py, which grows through the
same sizes in stages. For a GPU or TPU; not trained yet.
"""

from jaxgen.config.defaults import denoiser, multiscale_unet
from jaxgen.config.variants import check_variant, smoke


def get_config(variant: str = ""):
  """The config at 128 pixels; `smoke`: for tests."""
  check_variant(variant, ("smoke",))
  config = denoiser(multiscale_unet())
  config.data.update(
    source="rocks",
    num_tiles=16_384,
    flips=True,
    rot90=True,
  )
  config.diffusion.conditions = (
    "rock_type",
    "color_scheme",
    "texture_pattern",
    "zoom_level",
  )
  config.model.update(
    width=48,
    multipliers=(1, 2, 3, 4),
    attention=(False, False, True, True),
    head_dim=48,
  )
  config.stages.update(
    resolution=(128,),
    images=(2_000_000,),
    batch_size=(64,),
    accumulate=(2,),
  )
  if variant == "smoke":
    config = smoke(config)
    config.model.update(
      scales=(8, 24, 32),
      scale_width=8,
    )
    config.stages.update(
      resolution=(32,),
      accumulate=(1,),
    )
  return config
