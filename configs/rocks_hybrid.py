r"""A denoiser (EDM) that paints the detail which the reconstructions of an
autoencoder of procedural rock tiles lack.

    jaxgen train --config=configs/rocks_patch_ae.py:demo --workdir=runs/rocks_ae
    jaxgen train --config=configs/rocks_hybrid.py:demo \
      --workdir=runs/rocks_hybrid --config.hint.run=runs/rocks_ae
    jaxgen sample --workdir=runs/rocks_hybrid --num=64 --out=new --method=gmm

The autoencoder's variant is that of the hybrid, since it sets the size of the
tiles. Its weights are copied into the workdir, so that its own folder may move.

Measured, `:demo` (32,000 images): repainted tiles have a recall of 0.77 where
reconstructions have 0.62, and the right spectrum, but no smaller Frechet
distance; see docs/comparison.md.
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
  config.model.time_frequency = 16.0
  config.diffusion.target = "residual"
  config.hint.update(
    kind="reconstruction",
    run="runs/rocks_ae",
    drop_prob=0.0,
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
  config = demo(config, images=32_000)
  return smoke(config) if variant == "smoke" else config
