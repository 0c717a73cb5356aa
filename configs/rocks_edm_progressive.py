"""A denoiser of rock tiles that grows from 32 to 64, 96 and 128 pixels.

    jaxgen train --config=configs/rocks_edm_progressive.py --workdir=runs/grown
    jaxgen sample --workdir=runs/grown --num=16 --rock_type=granite --out=new

For a GPU or TPU; not trained yet. For results of a smaller config on two CPU
cores see docs/benchmarks.md, "Progressive or native training".
"""

from jaxgen.config.defaults import denoiser, progressive_unet
from jaxgen.config.variants import check_variant, progressive, smoke


def get_config(variant: str = ""):
  """The config, with four stages; `smoke`: for tests."""
  check_variant(variant, ("smoke",))
  config = denoiser(progressive_unet())
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
    outer_width=48,
    outer_num_res_blocks=2,
  )
  config = progressive(config)
  if variant == "smoke":
    config = smoke(config)
    config.model.update(
      outer_width=8,
      outer_num_res_blocks=1,
    )
    config.stages.update(
      resolution=(32, 64, 96),
      learning_rate_factor=(1.0,),
      warmup_images=(32,),
      fade_images=(0, 128, 64),
      images=(320, 160, 96),
      batch_size=(32, 16, 16),
    )
    config.train.update(
      evaluate_images=96,
      save_images=96,
    )
  return config
