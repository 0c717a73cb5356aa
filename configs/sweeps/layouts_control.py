r"""From the latent of rooms to a ControlNet that draws them from masks, in one
sweep.

    python scripts/prepare_layouts.py --input=LAYOUTS --out=layouts
    jaxgen sweep --config=configs/sweeps/layouts_control.py:demo \
      --workdir=sweeps/layouts
    jaxgen sample --workdir=sweeps/layouts/phase_2_2/steered --num=36 \
      --out=new --hint=validation

The rooms are in `layouts` in the current folder. 1.1: latent channels and width
of the autoencoder; 1.2: the resolution of the latent (R1, R2, R3) at equal
latent size; 1.3: plain or variational; 1.4: loss weights and heads; 2.1: a
denoiser of the winner's latents; 2.2: a ControlNet that steers it. Phases 1.2
and 1.3 are decided by how well a small denoiser learns the latents beside the
error: for twice the mean squared error its loss must be 5 % less.

Measured: `demo`, in 2 hours 15 minutes on a busy CPU core; see docs/control.md.
"""

from jaxgen.config.variants import check_variant
from jaxgen.sweeps import Phase, Sweep, Times, TradeOff, Winner, grid

QUICK = {
  "stages.resolution": (32,),
  "optimizer.name": "adamw",  # compiles faster
  "optimizer.learning_rate": 0.001,
  "train.evaluate_images": 64,
  "train.preview_images": 0,
}
RULE = TradeOff(cost="latent_size", gain=0.1, factor=4.0)
SIZE = TradeOff(cost="parameters", gain=0.1, factor=4.0)
ERROR = TradeOff(cost="mse", gain=0.05, factor=2.0)
AUTOENCODER = Winner("phase_1_4")


def get_sweep(variant: str = ""):
  """The sweep at 256 pixels, for a GPU; `demo`: 64 pixels, for two CPU cores;
  `smoke`: all phases with tiny models."""
  check_variant(variant, ("demo", "smoke"))
  toy = variant == "smoke"
  images = {"": 200_000, "demo": 6_000, "smoke": 96}[variant]
  widths = {"": (16, 32), "demo": (8, 16), "smoke": (8,)}[variant]
  latents = {"": 0, "demo": 24_000, "smoke": 0}[variant]  # 0: as in the config
  ends = {"": "", "demo": ":small", "smoke": ":smoke"}
  return Sweep(
    base=f"configs/layouts_ae.py{ends[variant]}",
    overrides=QUICK if toy else {},
    phases=(
      channels(widths, images),
      resolution(toy, images),
      posterior(images),
      weights(bool(variant), images),
      denoiser(f"configs/layouts_ldm.py{ends[variant]}", toy, latents),
      control(
        f"configs/layouts_control.py{variant and ':' + variant}",
        toy,
        latents // 2,
      ),
    ),
  )


def channels(widths: tuple[int, ...], images: int) -> Phase:
  """Phase 1.1: channels of the latent, and base channels of the network."""
  values = {
    "model.latent_channels": (4, 8),
    "model.base_channels": widths,
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
  so that four times the channels preserve the size."""
  steps, channels_ = "model.downsampling_steps", "model.latent_channels"
  middle = 2 if toy else 3
  return Phase(
    name="phase_1_2",
    runs={
      "R1": {steps: middle - 1, channels_: Times(0.25)},
      "R2": {steps: middle},
      "R3": {steps: middle + 1, channels_: Times(4)},
    },
    metric="probe_loss",
    trade_offs=(RULE, ERROR),
    images=images,
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


def weights(few: bool, images: int) -> Phase:
  """Phase 1.4: weights of the loss, and whether the heads reduce quality."""
  no_heads = {
    "model.num_seg_classes": 0,
    "loss.segmentation": 0.0,
    "loss.classification": 0.0,
    "loss.label": "",
  }
  runs = {"heads": {}, "segmentation": {"loss.segmentation": 0.2}}
  return Phase(
    name="phase_1_4",
    runs=runs if few else runs | {"no_heads": no_heads},
    metric="mse",
    trade_offs=(),
    images=images,
  )


def denoiser(base: str, toy: bool, images: int) -> Phase:
  """Phase 2.1: a denoiser of the latents of the winner."""
  return Phase(
    name="phase_2_1",
    base=base,
    overrides={**(QUICK if toy else {}), "latent.run": AUTOENCODER},
    runs={"latents": {}},
    metric="validation/loss",
    direction="min",
    trade_offs=(),
    images=images,
  )


def control(base: str, toy: bool, images: int) -> Phase:
  """Phase 2.2: a ControlNet that steers this denoiser by masks."""
  quick = {**QUICK, "train.preview_images": 320} if toy else {}
  leans_on = {"latent.run": AUTOENCODER, "control.base": Winner("phase_2_1")}
  return Phase(
    name="phase_2_2",
    base=base,
    overrides={**quick, **leans_on},
    runs={"steered": {}},
    metric="validation/hint_gap",
    direction="max",
    trade_offs=(),
    images=images,
  )
