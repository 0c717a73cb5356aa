r"""An upscaler of photographs by a factor of 4.

    jaxgen train --config=configs/photos_upscale_x4.py:demo \
      --config.data.path=MY_PHOTOS --workdir=runs/x4
    jaxgen upscale --workdir=runs/x4 --input=small_photos --out=large

The images should be sharp at their full size; `jaxgen data` warns of enlarged
ones. Small images are made by bicubic reduction, or with
`--config.data.degradation=realistic` also blurred, noisy and compressed.

Measured, `:demo`, 27,008 tiles: Set5 28.92 dB of RGB (bicubic 26.70), 40 images
of CBSD68 25.81 dB (24.59), see docs/upscaling.md. The EDSR has not been
trained.
"""

from jaxgen.config.defaults import compact, edsr, upscaler
from jaxgen.config.variants import check_variant, upscaler_demo, upscaler_smoke


def get_config(variant: str = ""):
  """EDSR, for a GPU or TPU; `demo`: a compact network, at most 20 minutes on
  two CPU cores; `smoke`: seconds, for tests."""
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
  config.optimizer.update(
    learning_rate=0.01,
    adam_learning_rate=0.002,
  )
  config.stages.update(
    resolution=(192,),
    images=(2_000_000,),
    batch_size=(32,),
  )
  if variant:
    config = upscaler_demo(config)
  return upscaler_smoke(config) if variant == "smoke" else config
