"""A patch autoencoder of procedural rock tiles.

    jaxgen train --config=configs/rocks_patch_ae.py --workdir=runs/rocks
    jaxgen train --config=configs/rocks_patch_ae.py:demo --workdir=runs/rocks_ae

A tile is a pure function of (data.seed, index); its rock type, color scheme,
texture pattern and zoom level are known. `demo` has the image size and data of
configs/rocks_edm.py:demo, for comparison.

Measured, `:demo`: 25.40 dB held-out PSNR after 128,000 images, in 6 minutes on
two CPU cores shared with other work. The other variants have not been fully
trained.
"""

from jaxgen.config.defaults import autoencoder
from jaxgen.config.variants import check_variant, smoke


def get_config(variant: str = ""):
  """The config at 64 pixels; `demo`: 32 pixels, minutes on two CPU cores;
  `smoke`: seconds, for tests."""
  check_variant(variant, ("demo", "smoke"))
  config = autoencoder()
  config.data.update(
    source="rocks",
    flips=True,
    rot90=True,
  )
  config.model.update(
    patch_size=8,
    overlap=0.5,
    width=256,
    encoder_depth=3,
    decoder_depth=3,
    heads=4,
    latent_dim=256,
  )
  config.stages.update(
    resolution=(64,),
    images=(400_000,),
    batch_size=(128,),
  )
  if variant == "demo":
    config.data.num_tiles = 4096
    config.model.update(
      width=128,
      encoder_depth=2,
      decoder_depth=2,
    )
    config.stages.update(
      resolution=(32,),
      images=(128_000,),
      batch_size=(64,),
    )
    config.train.update(
      evaluate_images=32_000,
      save_images=32_000,
    )
  return smoke(config) if variant == "smoke" else config
