r"""A patch autoencoder of rock tiles, trained at 32, 64, 96 and 128 pixels.

    jaxgen train --config=configs/rocks_patch_ae_progressive.py --workdir=runs/p
    jaxgen train --config=configs/rocks_patch_ae_progressive.py:finer \
      --workdir=runs/finer

The tiles have 8 x 8 patches that grow with the image; with `finer`, at 32, 64
and 128 pixels, an increasing number of patches of 8 pixels. In both cases the
parameters are transferred from stage to stage.
"""

from jaxgen.config.defaults import autoencoder
from jaxgen.config.variants import check_variant, smoke


def get_config(variant: str = ""):
  """The config, with four stages; `finer`: more patches instead of larger ones;
  `smoke`: for tests."""
  check_variant(variant, ("finer", "smoke"))
  config = autoencoder()
  config.data.update(
    source="rocks",
    num_tiles=4_096,
    flips=True,
    rot90=True,
  )
  config.model.update(
    width=128,
    heads=4,
    encoder_depth=2,
    decoder_depth=2,
    latent_dim=256,
  )
  config.optimizer.schedule = "stage_cosine"  # restarts in each stage
  config.stages.update(
    resolution=(32, 64, 96, 128),
    patch_size=(4, 8, 12, 16),
    images=(100_000, 50_000, 25_000, 25_000),
    batch_size=(64, 64, 32, 32),
    learning_rate_factor=(1.0, 0.7, 0.5, 0.5),
    warmup_images=(0, 2_000, 1_000, 1_000),
    fade_images=(0, 5_000, 2_500, 2_500),
  )
  if variant == "finer":
    config.model.update(
      patch_size=8,
      grids=(4, 8, 16),
    )
    config.stages.update(
      resolution=(32, 64, 128),
      patch_size=(0,),
      images=(200_000, 50_000, 25_000),
      batch_size=(64, 64, 32),
      learning_rate_factor=(1.0, 0.7, 0.5),
      warmup_images=(0, 2_000, 1_000),
      fade_images=(0, 5_000, 2_500),
    )
  config.train.update(
    evaluate_images=12_500,
    save_images=25_000,
  )
  if variant == "smoke":
    config = smoke(config)
    config.stages.update(
      warmup_images=(64,),
      fade_images=(320,),
    )
  return config
