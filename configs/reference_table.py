"""The scaling table of the reference system: 256 to 1024 pixels, patches of 16
and 32; for `jaxgen plan`, not for training.

    jaxgen plan --config=configs/reference_table.py --no_fit
    jaxgen plan --config=configs/reference_table.py --memory=16GiB
"""

from jaxgen.config.defaults import autoencoder
from jaxgen.config.variants import check_variant, smoke

SIDES = (256, 512, 768, 1024)


def get_config(variant: str = ""):
  """The config, with eight independent stages; `smoke`: for tests."""
  check_variant(variant, ("smoke",))
  config = autoencoder()
  config.data.update(
    source="rocks",
    num_tiles=64,
  )
  config.model.update(
    dropout=0.1,
    scan_layers=True,
  )
  config.stages.update(
    resolution=SIDES * 2,
    patch_size=(16,) * 4 + (32,) * 4,
    images=(1_000,),
    batch_size=(16,),
  )
  return smoke(config) if variant == "smoke" else config
