"""A convolutional autoencoder of rock tiles that also tells minerals and types.

    jaxgen train --config=configs/rocks_ae.py:demo --workdir=runs/rocks_ae

The procedural rocks need no files, and their masks and types are exact. The
weights are the reference's: squared error 1, segmentation 0.05, class 0.01.
Not trained to its end yet.
"""

from jaxgen.config import check_variant
from jaxgen.defaults import autoencoder, conv_autoencoder, smoke


def get_config(variant: str = ""):
  """`demo`: 64 pixels, minutes on two CPU cores; `smoke`: for tests."""
  check_variant(variant, ("demo", "smoke"))
  config = autoencoder(conv_autoencoder())
  config.data.update(source="rocks", num_tiles=16_384, flips=True, turns=True)
  config.model.update(latent_channels=8, segments=6)
  config.loss.update(log_mse=0.0, mse=1.0, segmentation=0.05)
  config.loss.update(classification=0.01, label="rock_type")
  config.optimizer.update(learning_rate=0.01, adam_learning_rate=0.003)
  config.stages.update(resolution=(256,), images=(1_000_000,), batch_size=(64,))
  if variant:
    config.data.num_tiles = 4_096
    config.model.update(base_channels=16, blocks=1)
    config.stages.update(resolution=(64,), images=(40_000,), batch_size=(32,))
    config.optimizer.update(warmup_images=4_000, ema_halflife=4_000)
    config.train.update(evaluate_images=10_000, save_images=10_000)
  return smoke(config) if variant == "smoke" else config
