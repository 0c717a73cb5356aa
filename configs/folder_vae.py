r"""A variational autoencoder for your own images.

    jaxgen train --config=configs/folder_vae.py:demo --workdir=runs/mine \
      --config.data.path=MY_IMAGES
    jaxgen sample --workdir=runs/mine --num=64 --method=prior --out=new

For the layout of the folder and the cutting of tiles see
configs/folder_patch_ae.py. The latent is a small image whose posterior is kept
near a standard normal, so that `--method=prior` needs no fit. The loss is
absolute error and LPIPS (AlexNet); the weight of the KL divergence is adjusted
until it is 3 to 8% of the loss. `demo` is a small network at 32 pixels for two
CPU cores.

Measured, `:demo` on 17 photographs of rock, sand and gravel
(`split_by=regions`), one run: after 24,000 images held-out PSNR 30.63 dB and
LPIPS 0.022; PCA with as many dimensions (256) has 35.44 dB and 0.026. All 16
channels are active. 14 minutes of CPU time. What a VAE is for is said in
docs/autoencoders.md.
"""

from jaxgen.config.defaults import autoencoder, conv_autoencoder
from jaxgen.config.variants import check_variant, smoke


def get_config(variant: str = ""):
  """The config at 64 pixels; `demo`: minutes on two CPU cores; `smoke`:
  seconds, for tests."""
  check_variant(variant, ("demo", "smoke"))
  config = autoencoder(conv_autoencoder())
  config.data.source = "folder"
  config.model.update(
    latent_channels=16,
    variational=True,
  )
  config.loss.update(
    log_mse=0.0,
    l1=1.0,
    lpips_alex=0.5,
  )
  config.kl.update(
    adaptive=True,
    start_images=20_000,
  )
  config.optimizer.update(
    learning_rate=0.01,
    adam_learning_rate=0.003,
  )
  config.stages.update(
    resolution=(64,),
    images=(400_000,),
    batch_size=(64,),
  )
  if variant:
    config.model.update(
      base_channels=32,
      num_res_blocks=1,
    )
    config.kl.start_images = 4_000
    config.stages.update(
      resolution=(32,),
      images=(24_000,),
      batch_size=(32,),
    )
    config.optimizer.update(
      warmup_images=2_000,
      ema_halflife=2_000,
    )
    config.train.update(
      evaluate_images=6_000,
      save_images=6_000,
      preview_images=6_000,
    )
  return smoke(config) if variant == "smoke" else config
