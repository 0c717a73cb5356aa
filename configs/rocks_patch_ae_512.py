r"""A 256-pixel run continued at 512 pixels, with patches twice as large.

    jaxgen train --config=configs/rocks_patch_ae_256.py --workdir=runs/rocks256
    jaxgen train --config=configs/rocks_patch_ae_512.py --workdir=runs/r512 \
      --config.train.init_from=runs/rocks256

For a GPU or TPU; not trained yet.
"""

from jaxgen.config.defaults import autoencoder
from jaxgen.config.variants import check_variant, smoke


def get_config(variant: str = ""):
  """The config at 512 pixels; `smoke`: for tests, after the smoke run at 256
  pixels."""
  check_variant(variant, ("smoke",))
  config = autoencoder()
  config.data.update(
    source="rocks",
    num_tiles=20_000,
    flips=True,
    rot90=True,
    cache_mb=6144,
    workers=8,
  )
  config.model.dropout = 0.1
  config.stages.update(
    resolution=(512,),
    patch_size=(32,),
    images=(200_000,),
    batch_size=(64,),
    accumulate=(4,),
    learning_rate_factor=(0.3,),
    warmup_images=(10_000,),
  )
  config.train.init_from = "runs/rocks256"
  if variant == "smoke":
    config = smoke(config)
    config.stages.update(
      images=(320,),
      accumulate=(1,),
    )
  return config
