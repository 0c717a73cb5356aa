r"""The latent design of a convolutional autoencoder of rock tiles, in four
phases.

    jaxgen sweep --config=configs/sweeps/latent_design.py --workdir=runs/design
    jaxgen sweep --config=configs/sweeps/latent_design.py:smoke \
      --workdir=runs/design_smoke

1.1: latent channels and width of the network; 1.2: resolution of the latent
(R1, R2, R3: 3, 4, 5 halvings), with equal channels, where finer latents are
also larger, and with equal latent size, which decides; 1.3: plain or
variational; 1.4: loss weights, compared by SSIM, which none of the losses
minimizes; LPIPS needs the extra `perceptual`.

Phases 1.2 and 1.3 are decided by how well a small denoiser learns the latents
(`probe_loss`) beside the error of reconstructions: for twice the mean squared
error the loss of the probe must be 5 % less.
"""

from jaxgen.config.variants import check_variant
from jaxgen.sweeps import Phase, Sweep, Times, TradeOff, grid

QUICK = {
  "stages.resolution": (32,),
  "optimizer.name": "adamw",  # compiles faster
  "optimizer.learning_rate": 0.001,
  "train.evaluate_images": 64,
  "train.preview_images": 0,
}
RULE = TradeOff(cost="latent_size", gain=0.1, factor=4.0)
NO_HEADS = {
  "model.num_seg_classes": 0,
  "loss.segmentation": 0.0,
  "loss.classification": 0.0,
  "loss.label": "",
}
SIZE = TradeOff(cost="parameters", gain=0.1, factor=4.0)
ERROR = TradeOff(cost="mse", gain=0.05, factor=2.0)


def get_sweep(variant: str = ""):
  """The sweep at 256 pixels, for a GPU; `demo`: 64 pixels, for two CPU cores
  (neither has been completed yet); `smoke`: all phases with tiny models, 3 min
  22 s on two CPU cores in two processes."""
  check_variant(variant, ("demo", "smoke"))
  toy = variant == "smoke"
  images = {"": 200_000, "demo": 40_000, "smoke": 192}[variant]
  base = "configs/rocks_ae.py"
  return Sweep(
    base=f"{base}:{variant}" if variant else base,
    overrides=QUICK if toy else {},
    phases=(
      channels(variant, images),
      resolution(toy, images),
      posterior(images),
      weights(toy, images),
    ),
  )


def channels(variant: str, images: int) -> Phase:
  """Phase 1.1: channels of the latent, and base channels of the network."""
  widths = {"": (32, 64), "demo": (8, 16), "smoke": (8,)}
  values = {
    "model.latent_channels": (4, 8) if variant == "smoke" else (4, 8, 16),
    "model.base_channels": widths[variant],
  }
  return Phase(
    name="phase_1_1",
    runs=grid(values),
    metric="mse",
    trade_offs=(RULE, SIZE),
    images=images,
  )


def resolution(toy: bool, images: int) -> Phase:
  """Phase 1.2: the number of halvings; each reduces the positions to a quarter,
  so that four times the channels preserve the size. R2 is in both comparisons.
  """
  steps, channels_ = "model.downsampling_steps", "model.latent_channels"
  first = 1 if toy else 3
  return Phase(
    name="phase_1_2",
    runs={
      "R1": {steps: first},
      "R2": {steps: first + 1},
      "R3": {steps: first + 2},
      "R1_equal": {steps: first, channels_: Times(0.25)},
      "R3_equal": {steps: first + 2, channels_: Times(4)},
    },
    metric="probe_loss",
    trade_offs=(RULE, ERROR),
    images=images,
    groups={
      "equal channels": ("R1", "R2", "R3"),
      "equal latent size": ("R1_equal", "R2", "R3_equal"),
    },
    decides="equal latent size",
  )


def posterior(images: int) -> Phase:
  """Phase 1.3: a plain or a variational autoencoder."""
  return Phase(
    name="phase_1_3",
    runs={
      "plain": {"model.variational": False},
      "variational": {"model.variational": True, "kl.beta": 1e-3},
    },
    metric="probe_loss",
    trade_offs=(ERROR,),
    images=images,
  )


def weights(toy: bool, images: int) -> Phase:
  """Phase 1.4: weights of the loss, and whether the heads reduce quality."""
  runs = {
    "mse": {"loss.mse": 1.0, "loss.l1": 0.0},
    "l1": {"loss.mse": 0.0, "loss.l1": 1.0},
    "segmentation": {"loss.segmentation": 0.2},
    "classification": {"loss.classification": 0.04},
    "no_heads": NO_HEADS,
  }
  if toy:
    runs = {k: runs[k] for k in ("mse", "l1", "no_heads")}
  perceptual = {"loss.mse": 0.4, "loss.l1": 0.2, "loss.lpips_alex": 0.2}
  return Phase(
    name="phase_1_4",
    runs=runs if toy else runs | {"lpips": perceptual},
    metric="ssim",
    trade_offs=(),
    images=images,
  )
