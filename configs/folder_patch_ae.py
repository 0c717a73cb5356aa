r"""A patch autoencoder on your own images.

    jaxgen train --config=configs/folder_patch_ae.py --workdir=runs/mine \
      --config.data.path=MY_IMAGES

MY_IMAGES holds PNG, JPEG, WebP, TIFF or BMP files; one subfolder for each
class, or an index.csv with the columns file and label, gives labels. The
defaults cut random 64-pixel squares out of large pictures. Other ways to use a
folder:

    --config.data.crop=whole          each picture is one tile (faces, objects)
    --config.data.crop_size=256       cut 256 pixels, shrink them to 64
    --config.data.split_by=regions    few pictures: hold out a strip of each
    --config.data.channels=1          grey
"""

from jaxgen.config.defaults import autoencoder
from jaxgen.config.variants import check_variant, smoke


def get_config(variant: str = ""):
  """`smoke`: seconds, for tests."""
  check_variant(variant, ("smoke",))
  config = autoencoder()
  config.data.source = "folder"
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
    resolution=(64,),
    images=(400_000,),
    batch_size=(128,),
    accumulate=(1,),
  )
  return smoke(config) if variant == "smoke" else config
