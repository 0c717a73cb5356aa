r"""An upscaler of photographs by a factor of 4 that draws plausible detail: one
that was trained by L1, trained further against a discriminator.

    jaxgen train --config=configs/photos_upscale_x4.py:demo \
      --config.data.path=MY_PHOTOS --workdir=runs/x4
    jaxgen train --config=configs/photos_upscale_x4_gan.py:demo \
      --config.data.path=MY_PHOTOS --config.train.init_from=runs/x4 \
      --workdir=runs/x4_gan
    jaxgen upscale --workdir=runs/x4_gan --input=small_photos --out=large

Images become sharper and less exact than those of the first model: the
checkpoint is selected by LPIPS.

Measured, `:demo`, stopped after 1,800 of its 6,000 tiles: LPIPS of Set5 .182
(the first model .185) at 28.82 dB of RGB (28.92), see docs/upscaling.md. The
EDSR has not been trained.
"""

from jaxgen.config.defaults import compact, edsr, upscaler
from jaxgen.config.variants import check_variant, upscaler_demo, upscaler_smoke


def get_config(variant: str = ""):
  """EDSR, for a GPU or TPU; `demo`: a compact network, minutes on a CPU core;
  `smoke`: seconds, for tests."""
  check_variant(variant, ("demo", "smoke"))
  config = upscaler(compact() if variant else edsr())
  config.data.update(
    source="folder",
    on_bad="skip",
    factor=4,
    flips=True,
    rot90=True,
  )
  config.loss.update(
    log_mse=0.0,
    l1=1.0,
  )
  config.adversarial.update(
    weight=0.05,
    gamma=0.03,
    penalty_every=2,
    rate_factor=2.0,
  )
  config.stages.update(
    resolution=(192,),
    images=(1_000_000,),
    batch_size=(32,),
  )
  if variant:
    config = upscaler_demo(config, images=6_000)
    config.adversarial.width = 16
    config.stages.update(
      resolution=(64,),
      batch_size=(8,),
    )
  config.optimizer.update(
    name="adamw",
    learning_rate=2e-4,
    schedule="constant",
    warmup_images=500,
    b1=0.0,
    ema_halflife=1_000,
  )
  config.train.metric = "lpips"
  if variant == "smoke":
    config = upscaler_smoke(config)
    config.adversarial.width = 4
  return config
