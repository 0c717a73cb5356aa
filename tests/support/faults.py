"""What the tests of faults have in common: small runs and their comparison."""

import contextlib
import csv
import os
import pathlib
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import jax
import numpy as np
from fuzzing.kills import start
from orbax.checkpoint import v1 as ocp

ROOT = pathlib.Path(__file__).parents[2]
AUTOENCODER = f"{ROOT}/configs/textures_patch_ae.py:smoke"
DENOISER = f"{ROOT}/tests/support/toy_edm.py"
CONTROL = f"{ROOT}/tests/support/toy_control.py"  # with control.base=...
VAE = f"{ROOT}/configs/rocks_ae.py:smoke"
LATENT = f"{ROOT}/configs/textures_ldm.py:smoke"  # with latent.run=...
UPSCALER = f"{ROOT}/configs/rocks_upscale.py:smoke"
SLOW = 120  # seconds that anything here may take on a busy machine
LAST = 12  # updates of a run here, saved after each
SMALL = {
  AUTOENCODER: {"model.encoder_depth": "1", "model.decoder_depth": "0"},
  DENOISER: {"model.width": "16", "diffusion.preview_steps": "2"},
  CONTROL: {"model.width": "16", "diffusion.preview_steps": "2"},
  LATENT: {"diffusion.preview_steps": "2", "latent.views": "0"},
  UPSCALER: {"adversarial.width": "4"},
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
  workdir: pathlib.Path | str, config: str = AUTOENCODER, /, **changes: object
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
  tree = ocp.load_checkpointables(
    str(workdir.resolve() / f"checkpoints/{step}")
  )
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
  """Bit for bit: parameters, EMAs, moments, latents or snapshots; and each
  step once."""
  assert numbers(a) == numbers(b)
  assert rows(a) == rows(b)
  logged = [row["step"] for row in rows(b)]
  assert len(set(logged)) == len(logged) == LAST
  folder, ignored = ("latents", {"checkpoint"})
  if (a / "posthoc_ema").exists():
    folder, ignored = "posthoc_ema", set()
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


def wait_for(there, process: subprocess.Popen | None = None) -> None:
  """Until `there()` is true, looking every millisecond."""
  end = time.monotonic() + SLOW
  while not there():
    if process is not None and process.poll() is not None:
      raise AssertionError("it ended before:\n" + process.communicate()[0])
    assert time.monotonic() < end, "it never came to that"
    time.sleep(0.001)


def saved(workdir: pathlib.Path, step: int):
  return lambda: (workdir / f"checkpoints/{step}").is_dir()


def saving(workdir: pathlib.Path, step: int):
  """Whether a save of that step or a later one is in progress."""

  def there() -> bool:
    names = [p.name for p in workdir.glob("checkpoints/*-tmp")]
    return any(int(name.partition(".")[0]) >= step for name in names)

  return there


def kill_in_a_save(workdir: pathlib.Path, argv: list[str], meanwhile=None):
  """Kill a training while it writes its fourth checkpoint, or a later one."""
  process = start(argv)
  try:
    wait_for(saved(workdir, 2), process)
    if meanwhile:
      meanwhile()
    wait_for(saving(workdir, 4), process)
  finally:
    process.kill()
    process.communicate()
  assert 0 < steps(workdir)[-1] < LAST


def go_on(argv: list[str]) -> list[str]:
  """Resume in a process of its own, to the end; what it says."""
  again = start(argv)
  said = again.communicate(timeout=SLOW)[0]
  assert again.returncode == 0, said
  return said.splitlines()


def gone(group: int) -> bool:
  """Whether no process is left in a group."""
  try:
    os.killpg(group, 0)
  except ProcessLookupError:
    return True
  return False


def interrupt(
  when: Callable[[], bool], number: signal.Signals
) -> threading.Thread:
  """Send this process a signal as soon as `when()`."""

  def wait() -> None:
    wait_for(when)
    os.kill(os.getpid(), number)

  thread = threading.Thread(target=wait)
  thread.start()
  return thread
