r"""A denoiser (EDM) of the latents of a patch autoencoder of textures.

    jaxgen train --config=configs/textures_patch_ae.py:demo --workdir=runs/ae
    jaxgen train --config=configs/textures_ldm.py:demo --workdir=runs/ldm \
      --config.latent.run=runs/ae
    jaxgen sample --workdir=runs/ldm --num=64 --out=new

The latents are vectors of 64 numbers. The run keeps a copy of the autoencoder:
it needs `runs/ae` only once.
"""

from jaxgen.config.defaults import denoiser, mlp
from jaxgen.config.variants import check_variant, smoke


def get_config(variant: str = ""):
  """The config at 32 pixels; `demo`: minutes on two CPU cores; `smoke`:
  seconds, for tests."""
  check_variant(variant, ("demo", "smoke"))
  config = denoiser(mlp())
  config.data.channels = 1
  config.latent.run = "runs/ae"
  config.diffusion.sigma_max = 20.0  # 40 times the latents' deviation
  config.stages.update(
    resolution=(32,),
    images=(10_000_000,),
    batch_size=(256,),
  )
  if variant:
    images = 1_024_000
    config.model.width = 256
    config.latent.views = 4
    config.stages.images = (images,)
    config.optimizer.update(
      warmup_images=32_000,
      ema_halflife=50_000,
    )
    config.train.update(
      log_images=8_192,
      evaluate_images=images // 4,
      save_images=images // 4,
      preview_images=images // 4,
    )
  return smoke(config) if variant == "smoke" else config
