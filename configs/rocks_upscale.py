r"""An upscaler of procedural rock tiles by a factor of 2.

    jaxgen train --config=configs/rocks_upscale.py:demo --workdir=runs/rocks_x2
    jaxgen sample --workdir=runs/rocks --upscaler=runs/rocks_x2 --num=36 \
      --out=large

Tiles have 64 pixels: at 128 they are smooth, and have no detail to learn.

Measured, `:demo`: 30.67 dB on held-out tiles, bicubic interpolation 26.85,
after 27,008 tiles in 38 minutes on a CPU core shared with other work.
"""

from jaxgen.config.defaults import compact, edsr, upscaler
from jaxgen.config.variants import check_variant, upscaler_demo, upscaler_smoke


def get_config(variant: str = ""):
  """EDSR, for a GPU or TPU; `demo`: a compact network, at most 20 minutes on
  two CPU cores; `smoke`: seconds, for tests."""
  check_variant(variant, ("demo", "smoke"))
  config = upscaler(compact() if variant else edsr())
  config.data.update(
    source="rocks",
    num_tiles=4_096 if variant else 65_536,
    factor=2,
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
    resolution=(64,),
    images=(1_000_000,),
    batch_size=(32,),
  )
  if variant:
    config = upscaler_demo(config)
  return upscaler_smoke(config) if variant == "smoke" else config
