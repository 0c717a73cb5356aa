r"""A denoiser (EDM) that paints the detail which enlarged rock tiles lack:
super-resolution by a factor of 2 that draws, rather than averages.

    jaxgen train --config=configs/rocks_upscale_edm.py:demo \
      --workdir=runs/rocks_x2_edm
    jaxgen upscale --workdir=runs/rocks_x2_edm --input=small_tiles --out=large

The denoiser is given the small image, enlarged linearly, and works on the
residual. Small images are area averages of 2 x 2 pixels. Only `:smoke` has been
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
    num_tiles=4_096 if variant else 65_536,
    flips=True,
    rot90=True,
  )
  config.model.time_frequency = 16.0
  config.diffusion.target = "residual"
  config.hint.update(
    kind="lowres",
    factor=2,
    drop_prob=0.0,
    noise=0.05,
  )
  if not variant:
    config.stages.update(
      resolution=(64,),
      images=(2_000_000,),
      batch_size=(128,),
    )
    return config
  config = demo(config, images=32_000)
  return smoke(config) if variant == "smoke" else config
