"""Runs of six families that are killed at random and resumed: each must end
bit for bit as one that was never killed."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from orbax.checkpoint import v1 as ocp

ROOT = pathlib.Path(__file__).parents[2]
PATIENCE = 300  # seconds that a process may take
FAST = {  # most of the time goes into compiling: little, and only once
  "XLA_FLAGS": "--xla_backend_optimization_level=0",
  "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
  "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
COMMON = {
  "optimizer.warmup_images": 64,
  "train.save_images": 16,
  "train.evaluate_images": 96,
  "train.log_images": 16,
  "train.preview_images": 0,
  "train.latent_cache_tiles": 32,
  "train.max_to_keep": 3,
}
FAMILIES = {  # config, fields
  "patch autoencoder": (
    "textures_patch_ae:smoke",
    {"stages.images": (384,), "model.decoder_depth": 0},
  ),
  "VAE with controllers": (
    "rocks_ae:smoke",
    {
      "stages.resolution": (32,),
      "stages.images": (384,),
      "model.variational": True,
      "model.downsampling_steps": 1,
      "kl.beta": 1e-7,
      "kl.schedule": "cyclical",
      "kl.floor": 1e-9,
      "kl.period_images": 128,
      "kl.cooldown_images": 32,
      "kl.reduction": 0.5,
      "kl.adaptive": True,
      "kl.rate": 0.5,
      "kl.interval_images": 32,
      "optimizer.schedule": "constant",
      "optimizer.warmup_images": 0,
      "optimizer.plateau_patience": 1,
      "optimizer.plateau_tolerance": 100.0,
    },
  ),
  "progressive denoiser": (
    "rocks_edm_progressive:smoke",
    {
      "stages.resolution": (32, 64),
      "stages.images": (160, 112),
      "stages.batch_size": (32, 16),
      "stages.fade_images": (0, 64),
    },
  ),
  "few-step model": (  # pre-training, then several steps of its curriculum
    "rocks_ect:smoke",
    {"stages.images": (288,), "consistency.pretrain_images": 64},
  ),
}
COMPANION = (  # a run that leans on another: config, fields
  "textures_ldm:smoke",
  {"stages.images": (384,), "latent.views": 1},
)
SWEEP = """
from jaxgen.sweeps import Phase, Sweep, grid
def get_sweep(variant=""):
  runs = grid({{"model.latent_dim": (4, 8)}})
  phase = Phase(name="one", runs=runs)
  base, overrides = "textures_patch_ae:smoke", {fields}
  return Sweep(base=base, overrides=overrides, phases=(phase,))
"""
Argv = Callable[[pathlib.Path], list[str]]  # maps a workdir to arguments


def families(folder: pathlib.Path) -> dict[str, Argv]:
  """The command line of each family."""
  argv = {name: training(*family) for name, family in FAMILIES.items()}
  argv["latent denoiser"] = lambda w: leaning(folder / "autoencoder")(w)
  _, fields = FAMILIES["patch autoencoder"]
  path = folder / "sweep.py"
  path.write_text(SWEEP.format(fields=COMMON | fields))
  sweep = lambda w: ["sweep", f"--config={path}", f"--workdir={w}"]  # noqa: E731
  return argv | {"sweep": sweep}


def training(config: str, fields: Mapping[str, object]) -> Argv:
  """The command line that trains a small run."""
  flags = [f"--config.{k}={v}" for k, v in {**COMMON, **fields}.items()]
  return lambda workdir: [
    "train", f"--config={config}", f"--workdir={workdir}", *flags
  ]  # fmt: skip


def leaning(origin: pathlib.Path) -> Argv:
  """The command line that trains a run which leans on an autoencoder; that is
  trained if there is none."""
  config, fields = COMPANION
  if not origin.exists():
    autoencoder = training(*FAMILIES["patch autoencoder"])
    if problem := run_to_end(autoencoder(origin)):
      raise RuntimeError(problem)
  return training(config, fields | {"latent.run": origin})


def kill_and_resume(
  argv: Argv, folder: pathlib.Path, *, kills: int, rng: random.Random
) -> Iterator[str]:
  """Kill a run at random several times, the first time while it copies its
  companions if it has any; after the last it is resumed to its end.

  Yields:
    For each kill what went wrong before the next; empty if nothing did. The
    last compares the run with one that was never killed.
  """
  whole, workdir = folder / "whole", folder / "killed"
  if problem := run_to_end(argv(whole)):
    raise RuntimeError(problem)
  for number in range(kills):
    _kill(argv(workdir), workdir, rng)
    if number < kills - 1:
      yield ""
  yield run_to_end(argv(workdir)) or difference(whole, workdir)


def start(
  argv: list[str], environment: Mapping[str, str] | None = None
) -> subprocess.Popen:
  """Start `jaxgen` in a process group of its own, with more variables in its
  environment."""
  return subprocess.Popen(
    [sys.executable, "-m", "jaxgen", *argv],
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
    cwd=ROOT,
    env={**os.environ, **(environment or {})},
    start_new_session=True,
  )


def run_to_end(argv: list[str]) -> str:
  """Run to the end; returns the output if it fails, else an empty text."""
  process = start(argv, FAST)
  said, _ = process.communicate(timeout=PATIENCE)
  return said if process.returncode else ""


def _kill(argv: list[str], workdir: pathlib.Path, rng: random.Random) -> None:
  """Start a run, and kill it some time after its next checkpoints begin, or
  soon after the copy of a companion does."""
  wanted = len(_events(workdir)) + rng.randrange(1, 4)
  pause, number = rng.random() / 5, rng.choice([signal.SIGKILL] * 3 + [15])
  process = start(argv, FAST)
  end = time.monotonic() + PATIENCE
  while process.poll() is None and time.monotonic() < end:
    copies = _copies(workdir)
    if copies or len(_events(workdir)) >= wanted:
      time.sleep(pause / 10 if copies else pause)
      process.send_signal(number)
      break
    time.sleep(0.005)
  process.communicate(timeout=PATIENCE)


_seen: dict[pathlib.Path, set[str]] = {}


def _events(workdir: pathlib.Path) -> set[str]:
  """The checkpoints seen so far, those in progress included."""
  seen = _seen.setdefault(workdir, set())
  with contextlib.suppress(FileNotFoundError):  # renamed in the meantime
    seen |= {str(x) for x in workdir.glob("**/checkpoints/[0-9]*")}
  return seen


def _copies(workdir: pathlib.Path) -> bool:
  """Whether a companion's copy has begun for the first time."""
  begun = {x.parent for x in workdir.glob("companions/*/checkpoints")}
  first = begun - _copied
  _copied.update(first)
  return bool(first)


_copied: set[pathlib.Path] = set()


def difference(whole: pathlib.Path, other: pathlib.Path) -> str:
  """The first difference between two finished runs or sweeps; empty if they
  are equal bit for bit."""
  runs = [x.parent.relative_to(whole) for x in whole.glob("**/checkpoints")]
  for run in runs:
    a, b = _arrays(whole / run), _arrays(other / run)
    differing = [k for k in {**a, **b} if a.get(k) != b.get(k)]
    if differing:
      return f"{run}: {differing[0]} differs"
    if _rows(whole / run) != _rows(other / run):
      return f"{run}: metrics.csv differs"
  choices = [x / "one/choice.json" for x in (whole, other)]
  if choices[0].exists():
    a, b = (json.loads(x.read_text())["run"] for x in choices)
    return "" if a == b else f"choice {a} and {b}"
  return "" if runs else "no run"


def _arrays(workdir: pathlib.Path) -> dict[str, bytes]:
  """Every array of the last checkpoint, by step and name."""
  import jax

  steps = [int(x.name) for x in workdir.glob("checkpoints/[0-9]*")]
  path = workdir.resolve() / "checkpoints" / str(max(steps))
  trees = ocp.load_checkpointables(str(path))
  kept = {name: trees[name] for name in ("state", "ema") if name in trees}
  leaves = jax.tree_util.tree_leaves_with_path(kept)
  return {
    f"{max(steps)}{jax.tree_util.keystr(k)}": np.asarray(x).tobytes()
    for k, x in leaves
  }


def _rows(workdir: pathlib.Path) -> list[dict[str, str]]:
  """The rows of metrics.csv without the speed."""
  from jaxgen.workdir import metrics_csv

  rows = metrics_csv.read_text_rows(workdir / metrics_csv.NAME)
  return [{k: v for k, v in r.items() if "second" not in k} for r in rows]
