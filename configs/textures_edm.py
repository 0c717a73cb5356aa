"""A denoiser (EDM) of the embedded texture photographs, by class.

    jaxgen train --config=configs/textures_edm.py:demo --workdir=runs/textures
    jaxgen sample --workdir=runs/textures --num=36 --out=new --class=gravel

No download: gravel, brick and grass, 512 pixels square, come with scikit-image.
"""

from jaxgen.config import check_variant
from jaxgen.defaults import demo, denoiser, smoke, unet


def get_config(variant: str = ""):
  """`demo`: minutes on two CPU cores. `smoke`: seconds, for tests."""
  check_variant(variant, ("demo", "smoke"))
  config = demo(denoiser(unet()), images=44_000 if variant else 2_000_000)
  config.data.channels = 1
  config.diffusion.conditions = ("label",)
  return smoke(config) if variant == "smoke" else config
