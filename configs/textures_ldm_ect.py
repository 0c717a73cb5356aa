r"""A few-step model of the latents of a patch autoencoder of textures, tuned
from latent diffusion by easy consistency tuning (ECT).

    jaxgen train --config=configs/textures_patch_ae.py:demo --workdir=runs/ae
    jaxgen train --config=configs/textures_ldm.py:demo --workdir=runs/ldm \
      --config.latent.run=runs/ae
    jaxgen train --config=configs/textures_ldm_ect.py:demo \
      --workdir=runs/ldm_ect --config.latent.run=runs/ae \
      --config.train.init_from=runs/ldm
    jaxgen sample --workdir=runs/ldm_ect --num=64 --out=new

Two network calls an image, and the decoder. With
`--config.consistency.method=mean_flow` it learns average velocities instead,
for `--sampler=flow-map-2` and more calls.

Measured with 288,000 of the 512,000 latents of `:demo`, three seeds: one call
is 11 times as fast as the 35 of its teacher, and 8 % farther from real tiles,
two calls 5 %; see docs/few_steps.md. The whole `:demo` has not been trained.
"""

from jaxgen.config.defaults import consistency, mlp
from jaxgen.config.variants import check_variant, smoke


def get_config(variant: str = ""):
  """The config at 32 pixels; `demo`: minutes on two CPU cores; `smoke`:
  seconds, for tests."""
  check_variant(variant, ("demo", "smoke"))
  config = consistency(mlp())
  config.data.channels = 1
  config.latent.run = "runs/ae"
  config.diffusion.sigma_max = 20.0  # 40 times the latents' deviation
  config.stages.update(
    resolution=(32,),
    images=(10_000_000,),
    batch_size=(256,),
  )
  config.optimizer.update(
    learning_rate=0.004,
    adam_learning_rate=0.004,
    ema_halflife=500_000,
  )
  if variant:
    images = 512_000
    config.model.width = 256
    config.latent.views = 4
    config.stages.images = (images,)
    config.optimizer.update(
      warmup_images=32_000,
      ema_halflife=images // 20,
    )
    config.train.update(
      log_images=8_192,
      evaluate_images=images // 8,
      save_images=images // 4,
      preview_images=images // 4,
    )
  return smoke(config) if variant == "smoke" else config
