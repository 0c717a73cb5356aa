r"""A conditional denoiser (EDM) of procedural rock tiles.

    jaxgen train --config=configs/rocks_edm.py:demo --workdir=runs/rocks_edm
    jaxgen sample --workdir=runs/rocks_edm --num=36 --out=new --guidance=2 \
      --rock_type=granite --zoom_level=macro

Conditions: rock type, colour scheme, texture pattern and zoom level, each of
which may be left out. `demo` is a small U-Net for two CPU cores.

Measured, `:demo`: held-out denoising PSNR 26.47 dB and loss 0.217 after 48,000
images, on a machine with other work to do; alone it trains at 41 images/s, so
20 minutes are just enough. The other variants were not trained.
"""

from jaxgen.config import check_variant
from jaxgen.defaults import demo, denoiser, smoke, unet


def get_config(variant: str = ""):
  """The U-Net at 64 pixels; `demo`: 32 pixels, at most 20 minutes on two CPU
  cores; `smoke`: seconds, for tests."""
  check_variant(variant, ("demo", "smoke"))
  config = denoiser(unet())
  config.data.update(source="rocks", num_tiles=4_096, flips=True, turns=True)
  config.diffusion.conditions = (
    "rock_type",
    "color_scheme",
    "texture_pattern",
    "zoom_level",
  )
  if not variant:
    config.data.update(num_tiles=65_536, cache_mb=2048, workers=8)
    config.model.update(width=128, blocks=3, dropout=0.1)
    config.stages.update(resolution=(64,), images=(10_000_000,))
    config.stages.update(batch_size=(256,), accumulate=(1,))
    return config
  return smoke(demo(config)) if variant == "smoke" else demo(config)
