"""What the tests of faults have in common: small runs and their comparison."""

import contextlib
import csv
import pathlib
import resource
import signal
from collections.abc import Iterator

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

ROOT = pathlib.Path(__file__).parents[2]
AUTOENCODER = f"{ROOT}/configs/textures_patch_ae.py:smoke"
DENOISER = f"{ROOT}/tests/toy_edm.py"
VAE = f"{ROOT}/configs/rocks_ae.py:smoke"
LAST = 12  # updates of a run here, saved after each
SMALL = {
  AUTOENCODER: {"model.encoder_depth": "1", "model.decoder_depth": "0"},
  DENOISER: {"model.width": "16", "diffusion.preview_steps": "2"},
  VAE: {
    "stages.resolution": "(32,)",
    "model.variational": "True",
    "model.downsampling_steps": "1",
    "kl.beta": "1e-7",
    "kl.schedule": "cyclical",
    "kl.floor": "1e-9",
    "kl.period_images": "128",
    "kl.cooldown_images": "32",
    "kl.reduction": "0.5",
    "kl.adaptive": "True",
    "kl.rate": "0.5",
    "kl.interval_images": "32",
    "optimizer.schedule": "constant",
    "optimizer.warmup_images": "0",
    "optimizer.plateau_patience": "1",
    "optimizer.plateau_tolerance": "100.0",
  },
}
FLAGS = {
  "stages.images": "(384,)",
  "optimizer.warmup_images": "64",
  "train.save_images": "32",
  "train.evaluate_images": "96",
  "train.log_images": "32",
  "train.preview_images": "0",
}


def command(
  workdir: pathlib.Path, config: str = AUTOENCODER, **changes: object
) -> list[str]:
  """Arguments of `jaxgen` that train a toy for `LAST` updates."""
  flags = FLAGS | SMALL[config] | changes
  return [
    "train",
    f"--config={config}",
    f"--workdir={workdir}",
    *(f"--config.{key}={value}" for key, value in flags.items()),
  ]


def numbers(workdir: pathlib.Path, step: int = LAST) -> dict[str, bytes]:
  """Every array of a checkpoint, moments included, as its bytes."""
  tree = ocp.load_checkpointables(workdir.resolve() / f"checkpoints/{step}")
  tree = {name: tree[name] for name in ("state", "ema")}
  leaves = jax.tree_util.tree_leaves_with_path(tree)
  return {jax.tree_util.keystr(k): np.asarray(x).tobytes() for k, x in leaves}


def rows(workdir: pathlib.Path) -> list[dict[str, str]]:
  """Of `metrics.csv`, without the speed, which no two runs share."""
  with (workdir / "metrics.csv").open(newline="") as file:
    found = list(csv.DictReader(file))
  return [{k: v for k, v in r.items() if "second" not in k} for r in found]


def steps(workdir: pathlib.Path) -> list[int]:
  """The checkpoints that lie in a workdir."""
  names = [p.name for p in (workdir / "checkpoints").iterdir()]
  return sorted(int(name) for name in names if name.isdecimal())


def assert_same_run(a: pathlib.Path, b: pathlib.Path) -> None:
  """Bit for bit: parameters, averages, moments, latents or snapshots; and each
  step once."""
  assert numbers(a) == numbers(b)
  assert rows(a) == rows(b)
  logged = [row["step"] for row in rows(b)]
  assert len(set(logged)) == len(logged) == LAST
  folder, ignored = ("latents", {"checkpoint"})
  if (a / "averages").exists():
    folder, ignored = "averages", set()
  left, right = (np.load(w / f"{folder}/{LAST}.npz") for w in (a, b))
  for name in {*left.files, *right.files} - ignored:
    np.testing.assert_array_equal(left[name], right[name])


@contextlib.contextmanager
def full_disk(size: int) -> Iterator[None]:
  """No file of this process grows past `size` bytes: write() fails."""
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
  resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, before)
