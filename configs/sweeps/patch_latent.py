r"""The latent size of the patch autoencoder of rock tiles, then its width.

    jaxgen sweep --config=configs/sweeps/patch_latent.py --workdir=runs/s
    jaxgen sweep --config=configs/sweeps/patch_latent.py:smoke \
      --workdir=runs/smoke
"""

from jaxgen.config.variants import check_variant
from jaxgen.sweeps import Phase, Sweep, TradeOff, grid

QUICK = {"train.evaluate_images": 96, "train.preview_images": 0}


def get_sweep(variant: str = ""):
  """The sweep at 32 pixels, for two CPU cores, not completed yet; `smoke`: tiny
  models, a minute or two, for tests."""
  check_variant(variant, ("smoke",))
  toy = variant == "smoke"
  return Sweep(
    base=f"configs/rocks_patch_ae.py:{'smoke' if toy else 'demo'}",
    overrides={"stages.resolution": (32,), **(QUICK if toy else {})},
    phases=(
      Phase(
        name="phase_1",
        runs=grid({"model.latent_dim": (8, 32) if toy else (64, 256, 1024)}),
        metric="mse",
        images=320 if toy else 64_000,
      ),
      Phase(
        name="phase_2",
        runs=grid({"model.width": (32, 64) if toy else (96, 128, 192)}),
        metric="high_frequency_error",
        trade_offs=(TradeOff(cost="parameters", gain=0.05, factor=2.0),),
        images=320 if toy else 64_000,
      ),
    ),
  )
