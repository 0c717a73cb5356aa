"""A patch autoencoder on procedural rock tiles of 64 pixels.

    jaxgen train --config=configs/rocks_patch_ae.py --workdir=runs/rocks
    jaxgen train --config=configs/rocks_patch_ae.py:smoke --workdir=runs/smoke

Tiles are a pure function of (data.seed, index); rock type, colour scheme,
texture pattern and zoom level are known for each.
"""

from jaxgen.config import check_variant
from jaxgen.defaults import autoencoder, smoke


def get_config(variant: str = ""):
  """`smoke`: seconds, for tests."""
  check_variant(variant, ("smoke",))
  config = autoencoder()
  config.data.update(source="rocks", num_tiles=8192, flips=True, turns=True)
  config.model.update(
    patch_size=8,
    width=256,
    encoder_depth=3,
    decoder_depth=3,
    heads=4,
    latent_dim=256,
    patch_features=32,
  )
  config.stages.update(
    resolution=(64,), images=(400_000,), batch_size=(128,), accumulate=(1,)
  )
  return smoke(config) if variant == "smoke" else config
