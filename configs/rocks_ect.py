r"""A few-step model of procedural rock tiles, tuned from a denoiser by easy
consistency tuning (ECT).

    jaxgen train --config=configs/rocks_edm.py:demo --workdir=runs/rocks_edm \
      --config.model.time_frequency=16
    jaxgen train --config=configs/rocks_ect.py:demo --workdir=runs/rocks_ect \
      --config.train.init_from=runs/rocks_edm
    jaxgen sample --workdir=runs/rocks_ect --num=36 --out=new \
      --rock_type=granite --zoom_level=macro

Two network calls an image; one with `--sampler=consistency-1`. Network, data
and conditions are those of the denoiser. Its time frequency has to be 16: at
1000 the features of two neighboring noise levels are unrelated.

Measured, `:demo`: one-call samples have .96 of the spread of the data; Frechet
distances are 54 and 52 by one and two calls, 40 by the 35 of the teacher, see
docs/few_steps.md. The other variants have not been trained.
"""

from jaxgen.config.defaults import consistency, unet
from jaxgen.config.variants import check_variant, demo, smoke, tuned


def get_config(variant: str = ""):
  """The config at 64 pixels; `demo`: 32 pixels, minutes on two CPU cores;
  `smoke`: seconds, for tests."""
  check_variant(variant, ("demo", "smoke"))
  config = consistency(unet())
  config.model.time_frequency = 16.0
  config.data.update(
    source="rocks",
    num_tiles=4_096,
    flips=True,
    rot90=True,
  )
  config.diffusion.conditions = (
    "rock_type",
    "color_scheme",
    "texture_pattern",
    "zoom_level",
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
    config.optimizer.update(
      learning_rate=0.004,
      adam_learning_rate=0.004,
      ema_halflife=500_000,
    )
    return config
  config = tuned(demo(config))
  return smoke(config) if variant == "smoke" else config
