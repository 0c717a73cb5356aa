"""What a change of resolution costs before any further training.

    python scripts/measure_handover.py --workdir=runs/rocks --factor=2

A trained patch autoencoder is carried to larger patches (or with --grid to more
of them, with or without levels for them) and reconstructs held-out images that
were enlarged. Each rule's leaf is then started at random instead, to see what
the rule is worth.
"""

import argparse
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

import jaxgen
from jaxgen.images import normalize
from jaxgen.metrics.images import similarity
from jaxgen.planning import cost
from jaxgen.train.transfer import transfer_params
from jaxgen.trees import named

METHODS = ("nearest", "linear", "cubic", "lanczos3")


def main():
  """Measure and print."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--workdir", required=True)
  parser.add_argument("--factor", type=float, default=2)
  parser.add_argument(
    "--grid", choices=("levels", "plain"), help="keep the patch size"
  )
  parser.add_argument("--num", type=int, default=128)
  args = parser.parse_args()
  run = jaxgen.load(args.workdir)
  if not hasattr(run.task.model, "grid"):
    parser.error(f"{args.workdir} is no run of a patch autoencoder")
  before, task, rules = carried(run, args.factor, args.grid)
  params, fresh = before
  small = normalize(run.images("validation", args.num))
  print(
    f"{run.image_shape[0]} pixels: {psnr(run.task, run.params, small):.2f} dB"
  )
  side = round(run.image_shape[0] * args.factor)
  shape = (len(small), side, side, small.shape[-1])
  enlarged = {m: jax.image.resize(small, shape, m) for m in METHODS}
  print(f"{'PSNR, dB, enlarged by':24}", *(f"{m:>9}" for m in METHODS))
  show("all rules", task, params, enlarged)
  for name in rules:
    show(f"random {name}", task, replaced(params, fresh, name), enlarged)


def carried(run, factor, grid):
  """Parameters at another resolution, fresh ones, their task, and the rules."""
  stage = run.plan.stages[run.stage]
  patch = run.task.model.options.patch_size
  row = dataclasses.replace(
    stage,
    resolution=round(stage.resolution * factor),
    patch_size=patch if grid else round(patch * factor),
  )
  plan = dataclasses.replace(run.plan, stages=(row,))
  if grid:
    side = run.task.model.grid[0]
    levels = (side, round(side * factor)) if grid == "levels" else ()
    plan = cost.of_model(plan, grids=levels)
  task = plan.task(0)
  fresh = jax.jit(task.init)(jax.random.key(1))
  rules = task.model.rules(run.task.model)
  shapes = {k: v.shape for k, v in named(run.params).items()}
  used = [
    k for k, v in named(fresh).items() if v.shape != shapes.get(k, v.shape)
  ]
  return (transfer_params(run.params, fresh, rules), fresh), task, used


def replaced(params, fresh, name):
  """`params` with one leaf started at random."""
  leaves = named(params) | {name: named(fresh)[name]}
  return jax.tree.unflatten(jax.tree.structure(params), leaves.values())


def psnr(task, params, images):
  """Of the reconstructions, in dB."""
  codec = task.codec(params)
  score = jax.jit(lambda x: similarity(codec.decode(codec.encode(x)), x))
  return float(np.mean(score(jnp.clip(images, -1, 1))["psnr"]))


def show(name, task, params, enlarged):
  """One row of the table."""
  values = [psnr(task, params, x) for x in enlarged.values()]
  print(f"{name:24}", *(f"{v:9.2f}" for v in values), flush=True)


if __name__ == "__main__":
  main()
