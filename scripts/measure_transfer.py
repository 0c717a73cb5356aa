"""Measure the loss of quality at a change of resolution, before more training.

    python scripts/measure_transfer.py --workdir=runs/rocks --factor=2

The parameters of a trained patch autoencoder are transferred to larger patches
(with --grid to more patches, with or without levels for them), and reconstruct
enlarged held-out images. Each leaf with a rule is also initialized at random
instead, to measure what the rule is worth.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxgen
from jaxgen.config.experiment import Experiment
from jaxgen.images import normalize
from jaxgen.metrics.images import similarity
from jaxgen.tasks import families
from jaxgen.tasks.task import Task
from jaxgen.train.transfer import transfer_params
from jaxgen.trees import named
from jaxgen.typing import Array, Params

METHODS = ("nearest", "linear", "cubic", "lanczos3")


def main() -> None:
  """Measure and print."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--workdir", required=True, help="folder of the run")
  parser.add_argument(
    "--factor", type=float, default=2, help="of the resolution (default: 2)"
  )
  parser.add_argument(
    "--grid",
    choices=("levels", "plain"),
    help="keep the patch size; more patches, with or without model.grids",
  )
  parser.add_argument(
    "--num", type=int, default=128, help="held-out images (default: 128)"
  )
  args = parser.parse_args()
  run = jaxgen.load(args.workdir)
  if not hasattr(run.experiment.model, "grids"):
    parser.error(f"--workdir={args.workdir}: expected a patch autoencoder")
  experiment = enlarged(
    run.experiment, stage=run.stage, factor=args.factor, grid=args.grid
  )
  task = families.build(experiment, run.names, stage=0)
  fresh = jax.jit(task.init)(jax.random.key(1))
  rules = task.model.rules(run.task.model)
  params = transfer_params(run.params, fresh, rules)
  images = normalize(run.images("validation", args.num))
  score = psnr(run.task, run.params, images)
  print(f"{images.shape[1]} pixels: {score:.2f} dB")
  side = experiment.stages[0].resolution
  shape = (len(images), side, side, images.shape[-1])
  inputs = {m: jax.image.resize(images, shape, m) for m in METHODS}
  print(f"{'PSNR, dB, enlarged by':24}", *(f"{m:>9}" for m in METHODS))
  print_row("all rules", task, params, inputs=inputs)
  for name in changed_leaves(run.params, fresh):
    partly_random = with_leaf(params, fresh, name)
    print_row(f"random {name}", task, partly_random, inputs=inputs)


def enlarged(
  experiment: Experiment, *, stage: int, factor: float, grid: str | None
) -> Experiment:
  """An experiment of one stage at `factor` times the resolution."""
  old = experiment.stages[stage]
  model: Any = experiment.model_at(stage)
  resolution = round(old.resolution * factor)
  patch_size = model.patch_size if grid else round(model.patch_size * factor)
  if grid:
    sides = [x // model.patch_size for x in (old.resolution, resolution)]
    grids = tuple(sides) if grid == "levels" else ()
    model = dataclasses.replace(model, grids=grids)
  new = dataclasses.replace(old, resolution=resolution, patch_size=patch_size)
  return dataclasses.replace(experiment, model=model, stages=(new,))


def changed_leaves(old: Params, new: Params) -> list[str]:
  """The names of the leaves that have another shape."""
  shapes = {k: v.shape for k, v in named(old).items()}
  return [k for k, v in named(new).items() if v.shape != shapes.get(k, v.shape)]


def with_leaf(params: Params, other: Params, name: str) -> Params:
  """`params` with one leaf of other parameters."""
  leaves = named(params) | {name: named(other)[name]}
  return jax.tree.unflatten(jax.tree.structure(params), leaves.values())


def psnr(task: Task, params: Params, images: Array) -> float:
  """The mean PSNR of reconstructions, in dB."""
  codec = task.codec(params)
  score = jax.jit(lambda x: similarity(codec.decode(codec.encode(x)), x))
  return float(np.mean(score(jnp.clip(images, -1, 1))["psnr"]))


def print_row(
  name: str, task: Task, params: Params, *, inputs: Mapping[str, Array]
) -> None:
  """Print a row of the table."""
  values = [psnr(task, params, x) for x in inputs.values()]
  print(f"{name:24}", *(f"{v:9.2f}" for v in values), flush=True)


if __name__ == "__main__":
  main()
