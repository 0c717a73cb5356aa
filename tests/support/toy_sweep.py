"""A sweep of toys for the tests: seconds a run."""

from jaxgen.sweeps import Phase, Sweep, Times, Winner, grid

BASE = "configs/rocks_patch_ae.py:smoke"
SMALL = {
  "stages.resolution": (32,),
  "model.decoder_depth": 0,
  "data.num_tiles": 48,
  "optimizer.warmup_images": 32,
  "train.latent_cache_tiles": 32,
  "train.preview_images": 0,
  "train.evaluate_images": 32,
  "train.save_images": 32,
  "train.log_images": 32,
}


def get_sweep(variant: str = ""):
  """`failing`: no run of it can be built; `changed`: another budget; `two`: the
  first phase's good runs alone; `on_top`: weights of the first phase's winner
  initialize the run of the second one."""
  if variant == "on_top":
    return on_top()
  runs = grid({"model.latent_dim": (4, 16)})
  broken = {"broken <b>&": {"model.patch_size": 5}}
  images = 128 if variant == "changed" else 96
  if variant == "two":
    one = Phase(name="one", runs=runs, images=images)
    return Sweep(base=BASE, overrides=SMALL, phases=(one,))
  two = {"half": {"model.latent_dim": Times(0.5)}}
  return Sweep(
    base=BASE,
    overrides=SMALL,
    phases=(
      Phase(
        name="one",
        runs=broken if variant == "failing" else runs | broken,
        images=images,
        groups={"sizes": tuple(runs)} if variant != "failing" else {},
      ),
      Phase(name="two", runs=two, metric="high_frequency_error", images=64),
    ),
  )


def on_top() -> Sweep:
  """A phase with a base of its own that starts from a winner's weights."""
  rates = {"slow": 1e-4, "fast": 1e-2}
  first = Phase(
    name="one",
    runs={k: {"optimizer.learning_rate": v} for k, v in rates.items()},
    images=32,
  )
  second = Phase(
    name="two",
    base=BASE,
    runs={"more": {"train.init_from": Winner("one")}},
    overrides=SMALL,
    images=32,
  )
  return Sweep(base=BASE, overrides=SMALL, phases=(first, second))
