"""The latent of a convolutional autoencoder on rock tiles, in four phases.

    jaxgen sweep --config=configs/sweeps/latent_design.py --workdir=runs/design
    jaxgen sweep --config=configs/sweeps/latent_design.py:smoke \
      --workdir=runs/design_smoke

1.1 latent channels and width; 1.2 the latent's resolution, R1, R2, R3 being 3,
4, 5 halvings: with as many channels each, where finer latents are also larger,
and with as many latent numbers each, which decides; 1.3 plain or variational;
1.4 weights of the losses, judged by SSIM, which none of them minimises. LPIPS
among them needs the extra `perceptual`. 1.3 looks at reconstructions alone,
which favours the plain one: for new images choose by hand, with
--choose=phase_1_3=variational.
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


def get_sweep(variant: str = ""):
  """At 256 pixels, for a GPU; `demo`: 64 pixels, for two CPU cores; neither was
  run to its end yet. `smoke`: all phases on toys, 3 min 22 s there in two
  processes."""
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
  """1.1: how many channels in the latent, and in the network."""
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
  """1.2: how many halvings; a halving leaves a quarter of the places, so that
  four times the channels keep the size. R2 is the same in both comparisons."""
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
    metric="mse",
    trade_offs=(RULE,),
    images=images,
    groups={
      "as many channels": ("R1", "R2", "R3"),
      "as many latent numbers": ("R1_equal", "R2", "R3_equal"),
    },
    decides="as many latent numbers",
  )


def posterior(images: int) -> Phase:
  """1.3: a plain autoencoder, or a variational one."""
  return Phase(
    name="phase_1_3",
    runs={
      "plain": {"model.variational": False},
      "variational": {"model.variational": True, "kl.beta": 1e-3},
    },
    metric="mse",
    trade_offs=(),
    images=images,
  )


def weights(toy: bool, images: int) -> Phase:
  """1.4: what the loss weighs, and whether the heads cost quality."""
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
