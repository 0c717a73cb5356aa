"""Is the memory that `jaxgen plan` tells that which a training takes?

    python scripts/measure_memory.py [--json=memory.json]

For each combination the step is compiled and its peak read, as `jaxgen plan`
does; then another process trains two updates, and its largest resident size is
compared with what the plan says of a process. Minutes on two CPU cores.
"""

import argparse
import json
import pathlib
import resource
import subprocess
import sys

import jax

from jaxgen.config import load_config
from jaxgen.data import pipeline
from jaxgen.train import planner
from jaxgen.train.plan import make_plan

CONFIGS = pathlib.Path(__file__).parents[1] / "configs"
AE, EDM = "rocks_patch_ae_256.py:benchmark", "rocks_edm.py"
COMBINATIONS = [
  (AE, {"batch_size": 4}, {}),
  (AE, {"batch_size": 8}, {}),
  (AE, {"batch_size": 8}, {"scan_layers": True}),
  (AE, {"batch_size": 8, "remat": "blocks"}, {"scan_layers": True}),
  (AE, {"batch_size": 8, "remat": "full"}, {"scan_layers": True}),
  (AE, {"batch_size": 16, "accumulate": 4}, {}),
  (AE, {"batch_size": 4, "resolution": 512, "patch_size": 32}, {}),
  (EDM, {"batch_size": 16, "resolution": 32}, {"width": 64, "blocks": 2}),
  (EDM, {"batch_size": 8, "resolution": 64}, {"width": 64, "blocks": 1}),
  (EDM, {"batch_size": 32, "resolution": 64}, {"width": 32, "blocks": 1}),
]


def plan_of(index: int):
  """The plan of a combination, on one device."""
  name, stage, model = COMBINATIONS[index]
  changes = {f"stages.{k}": repr((v,)) for k, v in stage.items()}
  changes |= {f"model.{k}": v for k, v in model.items()}
  flags = [f"--config.{k}={v}" for k, v in changes.items()]
  flags += ["--config.data.num_tiles=64", "--config.data.workers=0"]
  config = load_config(str(CONFIGS / name), flags)
  return make_plan(config, jax.devices()[:1])


def run(index: int) -> None:
  """Train two updates and print the largest resident size in bytes."""
  plan = plan_of(index)
  batches = pipeline.batches(
    plan.source("train", 0),
    plan.data,
    batch_size=plan.stages[0].batch_size,
    keep=plan.task(0).inputs,
  )
  step, state = plan.update(0), plan.fresh()
  for _ in range(2):
    images = plan.layout.put(next(batches))
    state, _ = jax.block_until_ready(step(state, images))
  batches.close()
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
    need = planner.need(plan_of(index), 0)
    predicted = need.total + planner.OVERHEAD
    command = [sys.executable, __file__, f"--run={index}"]
    measured = int(subprocess.check_output(command).split()[-1])
    what = ", ".join(f"{k}={v}" for k, v in (stage | model).items())
    rows.append([name, what, need.peak, predicted, measured])
    mib = [round(x / 2**20) for x in (need.peak, predicted, measured)]
    print(name, what, *mib, f"{predicted / measured - 1:+.1%}", flush=True)
  if args.json:
    args.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
  main()
