r"""The reference system: 256-pixel rock tiles, patch 16, latent 512 (384:1).

    jaxgen train --config=configs/rocks_patch_ae_256.py --workdir=runs/rocks256
    jaxgen train --config=configs/rocks_patch_ae_256.py --workdir=runs/photos \
      --config.data.source=folder --config.data.path=MY_ROCK_PHOTOGRAPHS \
      --config.data.split_by=regions
    jaxgen benchmark --config=configs/rocks_patch_ae_256.py:benchmark

For a GPU or TPU; not trained yet. On two CPU cores a step of 16 images takes
9.1 s, with or without model.scan_layers=True.
"""

from jaxgen.config.defaults import autoencoder
from jaxgen.config.variants import check_variant, smoke


def get_config(variant: str = ""):
  """The config at 256 pixels; `benchmark`: batches for two CPU cores; `smoke`:
  for tests."""
  check_variant(variant, ("benchmark", "smoke"))
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
    resolution=(256,),
    images=(1_000_000,),
    batch_size=(64,),
  )
  if variant == "benchmark":
    config.data.update(
      num_tiles=256,
      workers=0,
    )
    config.stages.batch_size = (16,)
  return smoke(config) if variant == "smoke" else config
