r"""A consistency decoder of the built-in texture photographs: the denoiser of a
hybrid, tuned to paint in one or two calls by easy consistency tuning (ECT).

    jaxgen train --config=configs/textures_patch_ae.py:demo --workdir=runs/ae
    jaxgen train --config=configs/textures_hybrid.py:demo \
      --workdir=runs/hybrid --config.hint.run=runs/ae
    jaxgen train --config=configs/textures_hybrid_ect.py:demo \
      --workdir=runs/hybrid_ect --config.hint.run=runs/ae \
      --config.train.init_from=runs/hybrid
    jaxgen reconstruct --workdir=runs/hybrid_ect --input=my_photos \
      --out=repainted

The autoencoder is that of the hybrid.

Measured, `:demo`, one run: repainted held-out tiles are at a Frechet distance
of 13.7 and 13.6 by one and two calls, and 13.7 by the 35 of the teacher; the
spread is .90 of the data's, see docs/few_steps.md.
"""

from jaxgen.config.defaults import consistency, unet
from jaxgen.config.variants import check_variant, demo, smoke, tuned


def get_config(variant: str = ""):
  """The config at 32 pixels; `demo`: minutes on two CPU cores; `smoke`:
  seconds, for tests."""
  check_variant(variant, ("demo", "smoke"))
  images = 32_000 if variant else 2_000_000
  config = tuned(demo(consistency(unet()), images=images))
  config.data.channels = 1
  config.model.time_frequency = 16.0
  config.diffusion.target = "residual"
  config.hint.update(
    kind="reconstruction",
    run="runs/ae",
    drop_prob=0.0,
  )
  return smoke(config) if variant == "smoke" else config
