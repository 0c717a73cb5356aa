r"""A denoiser (EDM) that paints the detail which the reconstructions of an
autoencoder of the built-in texture photographs lack.

    jaxgen train --config=configs/textures_patch_ae.py:demo --workdir=runs/ae
    jaxgen train --config=configs/textures_hybrid.py:demo \
      --workdir=runs/hybrid --config.hint.run=runs/ae
    jaxgen sample --workdir=runs/hybrid --num=64 --out=new --method=gmm
    jaxgen reconstruct --workdir=runs/hybrid --input=my_photos --out=repainted

The autoencoder's variant is that of the hybrid. Its weights are copied into the
workdir, so that its own folder may move.
"""

from jaxgen.config.defaults import denoiser, unet
from jaxgen.config.variants import check_variant, demo, smoke


def get_config(variant: str = ""):
  """The config at 32 pixels; `demo`: at most 20 minutes on two CPU cores;
  `smoke`: seconds, for tests."""
  check_variant(variant, ("demo", "smoke"))
  config = demo(denoiser(unet()), images=32_000 if variant else 2_000_000)
  config.data.channels = 1
  config.model.time_frequency = 16.0
  config.diffusion.target = "residual"
  config.hint.update(
    kind="reconstruction",
    run="runs/ae",
    drop_prob=0.0,
  )
  return smoke(config) if variant == "smoke" else config
