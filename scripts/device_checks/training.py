"""Checks of training: five families, determinism, memory."""

from __future__ import annotations

import hashlib
import json
import math
import os
import pathlib
import shutil
from typing import Any

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

import jaxgen
from device_checks.check import (
  TOY,
  NotApplicable,
  Options,
  Result,
  experiment,
)
from jaxgen.config.experiment import Experiment
from jaxgen.parallel import device
from jaxgen.planning import autobatch, cost
from jaxgen.train.programs import stage_programs
from jaxgen.train.schedule import stage_schedule
from jaxgen.workdir import checkpoint_index, checksums

FAMILIES = (
  "textures_patch_ae.py:smoke",
  "rocks_edm.py:smoke",
  "rocks_ae.py:smoke",
  "rocks_edm_progressive.py:smoke",
  "rocks_edm_multiscale.py:smoke",
)
DTYPES = ("float32", "bfloat16")
APART = 1.0  # dB between the two types
STEPS, BATCH = 8, 32
# The share of a GPU's memory that the check of running out of it may use.
SHARE = "0.05"
BEYOND = 1.3  # memory of the step that has to fail, relative to the limit


def families(options: Options) -> Result:
  """Smoke runs of five families in float32 and in bfloat16."""
  scores = {
    name: {dtype: held_out(options, name, dtype) for dtype in DTYPES}
    for name in options.parts(FAMILIES)
  }
  apart = {k: abs(x["float32"] - x["bfloat16"]) for k, x in scores.items()}
  trained = all(math.isfinite(v) for x in scores.values() for v in x.values())
  summary = (
    f"{2 * len(scores)} of {2 * len(FAMILIES)} runs; held-out PSNR in both "
    f"types differs by at most {max(apart.values()):.2f} dB"
  )
  return Result(
    holds=trained and max(apart.values()) < APART,
    summary=summary,
    values={"psnr": scores, "difference": apart},
  )


def held_out(options: Options, name: str, dtype: str) -> float:
  """The held-out PSNR at the end of a smoke run."""
  changes: dict[str, Any] = {"model__dtype": dtype, "train__preview_images": 0}
  if options.smallest:
    changes |= TOY | {"stages__images": (64,), "optimizer__warmup_images": 32}
  workdir = options.folder / f"{name.partition('.')[0]}_{dtype}"
  jaxgen.train(experiment(name, **changes), workdir)
  last = checkpoint_index.list_checkpoints(workdir)[-1]
  return last.scores.get("psnr", math.nan)


def determinism(options: Options) -> Result:
  """Two runs, and one that is resumed from the middle, end with equal
  numbers."""
  name = FAMILIES[0] if options.smallest else FAMILIES[1]
  config = experiment(
    name,
    stages__images=(STEPS * BATCH,),
    stages__batch_size=(BATCH,),
    train__save_images=STEPS * BATCH // 2,
    train__evaluate_images=STEPS * BATCH // 2,
    train__preview_images=0,
    **(TOY if options.smallest else {}),
  )
  one, two, resumed = (options.folder / x for x in ("one", "two", "resumed"))
  for workdir in (one, two):
    jaxgen.train(config, workdir)
  shutil.copytree(one, resumed)
  forget(resumed, STEPS)
  jaxgen.train(config, resumed)
  sums = {x.name: checksum(x, STEPS) for x in (one, two, resumed)}
  equal = {k: v == sums["one"] for k, v in sums.items()}
  texts = {True: "equal", False: "DIFFERENT"}
  return Result(
    holds=all(equal.values()),
    summary=f"second run {texts[equal['two']]}, resumed run "
    f"{texts[equal['resumed']]} to the first, of {name}",
    values={"checksums": sums, "xla_flags": os.environ.get("XLA_FLAGS", "")},
  )


def forget(workdir: pathlib.Path, step: int) -> None:
  """Delete a checkpoint."""
  shutil.rmtree(workdir / checkpoint_index.FOLDER / str(step))
  checksums.path_of(workdir, step).unlink()


def checksum(workdir: pathlib.Path, step: int) -> str:
  """The checksum of all numbers of a checkpoint."""
  folder = workdir.resolve() / checkpoint_index.FOLDER / str(step)
  trees = ocp.load_checkpointables(str(folder))
  digest = hashlib.sha256()
  for leaf in jax.tree.leaves((trees["state"], trees["ema"])):
    digest.update(np.asarray(leaf).tobytes())
  return digest.hexdigest()


def plan(options: Options) -> Result:
  """The planned memory of a step against the device's own peak."""
  name = "rocks_patch_ae_256.py:benchmark"
  config = experiment(name)
  if options.smallest:
    config = experiment(FAMILIES[0], **TOY)
  program = stage_programs(config, devices=jax.devices()[:1])[0]
  planned = cost.need(program).peak
  text = f"planned {planned / 2**20:,.0f} MiB"
  state, batches = program.fresh_state(), program.batches(0)
  schedule = stage_schedule(config, 0)
  for _ in range(2):
    state, _ = program.update(state, next(batches), schedule)
  jax.block_until_ready(state)
  batches.close()
  peak = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
  if not peak:
    raise NotApplicable(
      f"{text}, but this device does not report its peak; "
      "scripts/measure_memory.py compares processes"
    )
  error = planned / peak - 1
  return Result(
    holds=abs(error) < 0.2,
    summary=f"{text}, peak {peak / 2**20:,.0f} MiB: {error:+.1%}",
    values={"planned": planned, "peak": peak, "config": name},
  )


def out_of_memory(options: Options) -> Result:
  """A step that does not fit makes the run restart with smaller
  microbatches."""
  limit = (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")
  if device.platform() == "cpu" or not limit:
    raise NotApplicable(
      "the operating system ends a process that runs out of memory on a CPU"
    )
  config = too_large(limit)
  workdir = options.folder / "large"
  finished = jaxgen.train(config, workdir)
  path = workdir / autobatch.NAME
  decisions = json.loads(path.read_text()) if path.is_file() else {}
  parts = max((x["accumulate"] for x in decisions.values()), default=1)
  size = config.stages[0].batch_size
  return Result(
    holds=finished and parts > 1,
    summary=f"{size} images in {limit / 2**30:.1f} GiB: finished with "
    f"{parts} microbatches",
    values={"limit": limit, "batch_size": size, "decisions": decisions},
  )


def too_large(limit: int) -> Experiment:
  """A run of two steps of which each takes more than `limit` bytes at once."""
  size = 512
  while True:
    config = experiment(
      "textures_patch_ae.py:demo",
      stages__images=(2 * size,),
      stages__batch_size=(size,),
      train__preview_images=0,
    )
    program = stage_programs(config, devices=jax.devices()[:1])[0]
    if cost.need(program).peak > BEYOND * limit:
      return config
    size *= 2
