"""Is the memory that `jaxgen plan` tells that which a training takes?

    python scripts/measure_memory.py [--json=memory.json]

For each combination the step is compiled and its peak read, as `jaxgen plan`
does; then another process trains two updates as `jaxgen train` does, with
evaluation, preview and checkpoint, and its largest resident size is compared
with what the plan says of a process. Half an hour on two CPU cores.
"""

import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile

import jax
from jaxgen.train.plan import make_plan

from jaxgen.config.files import load_config
from jaxgen.planning import cost
from jaxgen.train.loop import train

CONFIGS = pathlib.Path(__file__).parents[1] / "configs"
AE, EDM = "rocks_patch_ae_256.py:benchmark", "rocks_edm.py"
GROWN, CONV = "rocks_edm_progressive.py", "rocks_ae.py"
COMBINATIONS = [
  (AE, {"batch_size": 4}, {}),
  (AE, {"batch_size": 8}, {}),
  (AE, {"batch_size": 8}, {"scan_layers": True}),
  (AE, {"batch_size": 8, "remat": "blocks"}, {"scan_layers": True}),
  (AE, {"batch_size": 8, "remat": "full"}, {"scan_layers": True}),
  (AE, {"batch_size": 16, "accumulate": 4}, {}),
  (AE, {"batch_size": 4, "resolution": 512, "patch_size": 32}, {}),
  (
    EDM,
    {"batch_size": 16, "resolution": 32},
    {"width": 64, "num_res_blocks": 2},
  ),
  (
    EDM,
    {"batch_size": 8, "resolution": 64},
    {"width": 64, "num_res_blocks": 1},
  ),
  (
    EDM,
    {"batch_size": 32, "resolution": 64},
    {"width": 32, "num_res_blocks": 1},
  ),
  (
    GROWN,
    {"batch_size": 16, "resolution": 128},
    {"width": 32, "num_res_blocks": 1},
  ),
  (CONV, {"batch_size": 16, "resolution": 128}, {"base_channels": 32}),
]


def plan_of(index: int):
  """The plan of a combination, on one device."""
  name, stage, model = COMBINATIONS[index]
  alone = {"images": 2 * stage["batch_size"], "warmup_images": 0}
  stage = alone | {"rate": 1.0, "fade_images": 0} | stage
  changes = {f"stages.{k}": repr((v,)) for k, v in stage.items()}
  changes |= {f"model.{k}": v for k, v in model.items()}
  flags = [f"--config.{k}={v}" for k, v in changes.items()]
  flags += ["--config.data.num_tiles=64", "--config.data.workers=0"]
  flags += [
    "--config.train.latent_cache_tiles=64",
    "--config.train.validation_tiles=64",
  ]
  config = load_config(str(CONFIGS / name), flags)
  return make_plan(config, jax.devices()[:1])


def run(index: int) -> None:
  """Train two updates and print the largest resident size in bytes."""
  with tempfile.TemporaryDirectory() as folder:
    train(
      plan_of(index).config, pathlib.Path(folder), devices=jax.devices()[:1]
    )
  print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def main() -> None:
  """Predict, measure, print."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--run", type=int)
  parser.add_argument("--json", type=pathlib.Path)
  args = parser.parse_args()
  if args.run is not None:
    return run(args.run)
  rows = []
  for index, (name, stage, model) in enumerate(COMBINATIONS):
    need = cost.need(plan_of(index), 0)
    predicted = need.total + cost.OVERHEAD
    command = [sys.executable, __file__, f"--run={index}"]
    measured = int(subprocess.check_output(command).split()[-1])
    what = ", ".join(f"{k}={v}" for k, v in (stage | model).items())
    rows.append([name, what, need.peak, need.code, predicted, measured])
    mib = [round(x / 2**20) for x in (need.peak, predicted, measured)]
    print(name, what, *mib, f"{predicted / measured - 1:+.1%}", flush=True)
  if args.json:
    args.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
  main()
