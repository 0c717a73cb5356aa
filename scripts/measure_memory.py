"""Compare the memory that `jaxgen plan` predicts with that of training.

    python scripts/measure_memory.py [--json=memory.json]

For each combination the step is compiled and its peak is read, as by `jaxgen
plan`; then another process trains for two updates, as `jaxgen train` does, with
evaluation, preview and checkpoint, and its largest resident size is compared
with the prediction. Takes half an hour on two CPU cores.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
from typing import Any, NamedTuple

import jax

import jaxgen
from jaxgen.config.experiment import Experiment
from jaxgen.config.files import load_experiment
from jaxgen.planning import cost
from jaxgen.train.programs import stage_programs
from jaxgen.train.stage import StageProgram

CONFIGS = pathlib.Path(__file__).parents[1] / "configs"
MIB = 2**20


class Combination(NamedTuple):
  """A config file, and fields of its stage and its model."""

  config: str
  stage: dict[str, Any]
  model: dict[str, Any]

  @property
  def label(self) -> str:
    """The fields in one line."""
    fields = self.stage | self.model
    return ", ".join(f"{k}={v}" for k, v in fields.items())


def patch_autoencoder(scan_layers: bool = False, **stage: Any) -> Combination:
  """The reference system, 256 pixels."""
  model = {"scan_layers": True} if scan_layers else {}
  return Combination("rocks_patch_ae_256.py:benchmark", stage, model)


def unet(width: int, num_res_blocks: int, **stage: Any) -> Combination:
  """A denoiser; 128 pixels are those of the growing one."""
  grows = stage["resolution"] == 128
  model = {"width": width, "num_res_blocks": num_res_blocks}
  name = "rocks_edm_progressive.py" if grows else "rocks_edm.py"
  return Combination(name, stage, model)


COMBINATIONS = [
  patch_autoencoder(batch_size=4),
  patch_autoencoder(batch_size=8),
  patch_autoencoder(batch_size=8, scan_layers=True),
  patch_autoencoder(batch_size=8, remat="blocks", scan_layers=True),
  patch_autoencoder(batch_size=8, remat="full", scan_layers=True),
  patch_autoencoder(batch_size=16, accumulate=4),
  patch_autoencoder(batch_size=4, resolution=512, patch_size=32),
  unet(64, 2, batch_size=16, resolution=32),
  unet(64, 1, batch_size=8, resolution=64),
  unet(32, 1, batch_size=32, resolution=64),
  unet(32, 1, batch_size=16, resolution=128),
  Combination(
    "rocks_ae.py", {"batch_size": 16, "resolution": 128}, {"base_channels": 32}
  ),
]


def experiment_of(combination: Combination) -> Experiment:
  """The experiment of a combination: one stage of two updates."""
  stage = {
    "images": 2 * combination.stage["batch_size"],
    "warmup_images": 0,
    "fade_images": 0,
    "learning_rate_factor": 1.0,
    **combination.stage,
  }
  fields = {f"stages.{k}": repr((v,)) for k, v in stage.items()}
  fields |= {f"model.{k}": v for k, v in combination.model.items()}
  fields |= {"data.num_tiles": 64, "data.workers": 0}
  fields |= {"train.latent_cache_tiles": 64, "train.validation_tiles": 64}
  flags = [f"--config.{k}={v}" for k, v in fields.items()]
  return load_experiment(str(CONFIGS / combination.config), flags)


def program_of(combination: Combination) -> StageProgram:
  """The program of a combination, on one device."""
  experiment = experiment_of(combination)
  return stage_programs(experiment, devices=jax.devices()[:1])[0]


def train(index: int) -> None:
  """Train for two updates and print the largest resident size in bytes."""
  experiment = experiment_of(COMBINATIONS[index])
  with tempfile.TemporaryDirectory() as folder:
    jaxgen.train(experiment, folder, devices=jax.devices()[:1])
  print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def main() -> None:
  """Predict, measure and print."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--json", type=pathlib.Path, help="also write the rows")
  parser.add_argument(
    "--only", type=int, action="append", help="index of a combination"
  )
  parser.add_argument("--train", type=int, help=argparse.SUPPRESS)
  args = parser.parse_args()
  if args.train is not None:
    return train(args.train)
  rows = []
  for index in args.only or range(len(COMBINATIONS)):
    combination = COMBINATIONS[index]
    need = cost.need(program_of(combination))
    predicted = need.total + cost.OVERHEAD
    command = [sys.executable, __file__, f"--train={index}"]
    measured = int(subprocess.check_output(command).split()[-1])
    label = (combination.config, combination.label)
    rows.append([*label, need.peak, need.code, predicted, measured])
    mib = [round(x / MIB) for x in (need.peak, predicted, measured)]
    print(*label, *mib, f"{predicted / measured - 1:+.1%}", flush=True)
  if args.json:
    args.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
  main()
