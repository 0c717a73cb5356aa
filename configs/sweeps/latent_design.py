"""The latent of a convolutional autoencoder on rock tiles, in four phases.

    jaxgen sweep --config=configs/sweeps/latent_design.py --workdir=runs/design
    jaxgen sweep --config=configs/sweeps/latent_design.py:smoke \
      --workdir=runs/design_smoke

1.1 latent channels and width; 1.2 the latent's resolution, R1, R2, R3 being 3,
4, 5 halvings: with as many channels each, where finer latents are also larger,
and with as many latent numbers each, which decides; 1.3 plain or variational;
1.4 weights of the losses, by LPIPS where its weights are there, else by what is
lost of fine detail: name the metric below.
"""

from jaxgen.config import check_variant
from jaxgen.sweeps import Phase, Sweep, Times, TradeOff, grid

QUICK = {"train.evaluate_images": 160, "train.preview_images": 0}
RULE = TradeOff(cost="latent_size", gain=0.1, factor=4.0)
SIZE = TradeOff(cost="parameters", gain=0.1, factor=4.0)


def get_sweep(variant: str = ""):
  """At the base's size; `smoke`: all phases on toys, a few minutes on two CPU
  cores."""
  check_variant(variant, ("smoke",))
  toy = variant == "smoke"
  images = 320 if toy else 200_000
  return Sweep(
    base=f"configs/rocks_ae.py{':smoke' if toy else ''}",
    overrides=QUICK if toy else {},
    phases=(
      channels(toy, images),
      resolution(toy, images),
      posterior(images),
      weights(toy, images),
    ),
  )


def channels(toy: bool, images: int) -> Phase:
  """1.1: how many channels in the latent, and in the network."""
  values = {
    "model.latent_channels": (4, 8) if toy else (4, 8, 16),
    "model.base_channels": (8,) if toy else (32, 64),
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
  beta = {"kl.beta": 1e-4}
  return Phase(
    name="phase_1_3",
    runs={
      "plain": {"model.variational": False},
      "variational": {"model.variational": True, **beta},
    },
    metric="mse",
    trade_offs=(),
    images=images,
  )


def weights(toy: bool, images: int) -> Phase:
  """1.4: what the loss weighs. LPIPS needs the extra `perceptual`."""
  pixels = {
    "mse": {"loss.mse": 1.0, "loss.l1": 0.0, "loss.lpips_alex": 0.0},
    "l1": {"loss.mse": 0.0, "loss.l1": 1.0, "loss.lpips_alex": 0.0},
  }
  perceptual = {"loss.mse": 0.4, "loss.l1": 0.2, "loss.lpips_alex": 0.2}
  heads = {
    "loss.mse": 1.0,
    "loss.segmentation": 0.0,
    "loss.classification": 0.0,
  }
  more = (
    {"no_heads": heads} if toy else {"lpips": perceptual, "no_heads": heads}
  )
  return Phase(
    name="phase_1_4",
    runs=pixels | more,
    metric="high_frequency_error" if toy else "lpips",
    trade_offs=(),
    images=images,
  )
