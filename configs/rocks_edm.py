r"""A conditional denoiser (EDM) of procedural rock tiles.

    jaxgen train --config=configs/rocks_edm.py:demo --workdir=runs/rocks_edm
    jaxgen sample --workdir=runs/rocks_edm --num=36 --out=new --guidance=2 \
      --rock_type=granite --zoom_level=macro

Conditions: rock type, color scheme, texture pattern and zoom level, all
optional. `demo` is a small U-Net for two CPU cores.

Measured, `:demo`: held-out denoising PSNR 26.46 dB after 44,000 images, in 19
min 14 s on two CPU cores shared with other work (25 to 50 images/s). 571
samples by `heun-18` with guidance 1.5: Frechet distance (VGG16) 36.4 (32.0 to
41.9), 11.0 for other real tiles; precision 0.79, recall 0.73. A classifier with
an accuracy of 67, 94, 86 and 66% on real tiles predicts the requested rock
type, color scheme, texture pattern and zoom level for 55, 92, 61 and 51% of the
samples; no memorized tiles in any orientation. The other variants have not been
trained.
"""

from jaxgen.config.defaults import denoiser, unet
from jaxgen.config.variants import check_variant, demo, smoke


def get_config(variant: str = ""):
  """The config at 64 pixels; `demo`: 32 pixels, at most 20 minutes on two CPU
  cores; `smoke`: seconds, for tests."""
  check_variant(variant, ("demo", "smoke"))
  config = denoiser(unet())
  config.data.update(
    source="rocks",
    num_tiles=4_096,
    flips=True,
    rot90=True,
  )
  config.diffusion.conditions = (
    "rock_type",
    "color_scheme",
    "texture_pattern",
    "zoom_level",
  )
  if not variant:
    config.data.update(
      num_tiles=65_536,
      workers=8,
    )
    config.model.update(
      width=128,
      num_res_blocks=3,
      dropout=0.1,
    )
    config.stages.update(
      resolution=(64,),
      images=(10_000_000,),
      batch_size=(256,),
    )
    return config
  return smoke(demo(config)) if variant == "smoke" else demo(config)
