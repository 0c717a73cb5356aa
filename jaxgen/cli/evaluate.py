"""Measure a run: reconstructions beside PCA, or new images beside real ones.

  jaxgen evaluate --workdir=runs/demo
  jaxgen evaluate --workdir=runs/demo --input=my_tiles --out=results
  jaxgen evaluate --workdir=runs/rocks_edm --num=1024 --guidance=1.5

Of an autoencoder: PSNR, SSIM, LPIPS (with the extra `perceptual`) and squared
error of held-out images, in all and in fine detail (waves shorter than four
pixels); of its heads mean intersection over union and accuracy, of a VAE the
divergence and the active units. PCA has as many dimensions as the latent and is
fitted to training tiles, drawn as training draws them.

Of a denoiser: the Frechet distance and KID of new images to real ones, with
bootstrap intervals, beside that of other real ones (the floor); precision,
recall, density, coverage; copies of training tiles, in all orientations that
training shows (shifted or recoloured ones are not found); and whether a
classifier sees the conditions that were asked for. Says beforehand how many
calls of the network it takes.

Writes metrics.json and per_image.csv.
"""

from __future__ import annotations

import argparse
import pathlib
from typing import Any

from jaxgen.cli import common, sample
from jaxgen.errors import UserError

UNITS = {
  "psnr": "PSNR (dB)",
  "ssim": "SSIM",
  "lpips": "LPIPS",
  "mse": "MSE",
  "high_frequency_error": "fine MSE",
  "l1": "L1",
}


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Flags of this verb."""
  common.add_run_flags(parser, out=None)
  common.add_input_flag(parser)
  parser.add_argument(
    "--out", type=pathlib.Path, help="a folder (default: WORKDIR/evaluation)"
  )
  parser.add_argument(
    "--num", type=common.whole(1), default=1024, help="images at most"
  )
  group = parser.add_argument_group("denoisers")
  group.add_argument(
    "--budget",
    type=common.whole(1),
    default=40_000,
    help="calls of the network at most, images times calls (default: 40000)",
  )
  common.add_features_flags(group)
  group.add_argument(
    "--seed", type=common.whole(0, 2**32 - 1), default=0, help="of the images"
  )
  sample.add_sampler_flags(group)


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Evaluate, print and write."""
  out = args.out or args.workdir / "evaluation"
  model = common.open_run(args, out)
  if model.task.denoiser:
    _generation(model, args, out)
  else:
    sample.refuse(args, sample.OF_DENOISERS, "denoisers")
    _reconstruction(model, args, out)
  print(f"metrics.json and per_image.csv are in {out}.")


def _generation(
  model: Any, args: argparse.Namespace, out: pathlib.Path
) -> None:
  from jaxgen.evaluation import generation
  from jaxgen.formats.png import write_png
  from jaxgen.images import grid
  from jaxgen.metrics.features import features

  if args.input:
    raise UserError("--input is for autoencoders: new images need no others.")
  network = features(args.features, args.inception_weights)
  asked = sample.asked(model, args, [])
  del asked["conditions"]  # each image has its own
  num, calls = generation.afford(model, args.num, args.budget, **asked)
  print(
    f"{num:,} images x {calls} calls of the network = {num * calls:,} (at most "
    f"{args.budget:,}; --budget)",
    flush=True,
  )
  found = generation.evaluate(
    model,
    num,
    seed=args.seed,
    network=network,
    batch=args.batch,
    **asked,
  )
  generation.write(out, found, model.conditions)
  write_png(out / "nearest.png", grid(generation.pairs(found)))
  names = [f"{i:05}" for i in range(num)]
  common.write_images(out / "samples", names, found.images)
  _print_generation(found)


def _reconstruction(
  model: Any, args: argparse.Namespace, out: pathlib.Path
) -> None:
  from jaxgen.evaluation import reconstruction

  if args.input:
    names, images = common.read_images(model, args)
  else:
    images = model.images("validation", args.num)
    names = [f"validation_{i:05}" for i in range(len(images))]
  scores, facts = reconstruction.evaluate(model, images, batch=args.batch)
  facts["source"] = args.input or "the validation split"
  more = {} if args.input else _others(model)
  facts |= {"held_out": more} if more else {}
  reconstruction.write(out, names, scores, facts)
  _print_table(reconstruction.means(scores), facts)
  if more:
    print("of all held-out images that the training looks at:")
  for name, value in more.items():
    print(f"{name:18} {value:.4g}")


def _others(model: Any) -> dict[str, float]:
  """What the task measures besides the images."""
  from jaxgen.train.stage import stage_programs

  programs = stage_programs(model.experiment, names=model.names)
  held_out = programs[model.stage].evaluator(model.params)
  return {k: v for k, v in held_out.items() if "/" in k}


def _print_table(table: dict[str, dict[str, float]], facts: dict) -> None:
  from rich.console import Console
  from rich.table import Table

  size = " x ".join(map(str, facts["latent_shape"]))
  print(
    f"{facts['images']} images of {facts['source']}; step {facts['step']}, "
    f"latent {size}; PCA of {facts['pca_dimensions']} dimensions, fitted to "
    f"{facts['training_tiles']} training tiles"
  )
  shown = Table()
  columns = [k for k in UNITS if k in table["autoencoder"]]
  shown.add_column("")
  for k in columns:
    shown.add_column(UNITS[k], justify="right")
  for name, row in table.items():
    digits = {"psnr": ".2f", "high_frequency_error": ".5f"}
    values = [format(row[k], digits.get(k, ".4f")) for k in columns]
    shown.add_row(name, *values)
  Console().print(shown)


def _print_generation(found: Any) -> None:
  from rich.console import Console
  from rich.table import Table

  from jaxgen.report import comparison

  facts = found.facts
  print(
    f"{facts['images']} images, step {facts['step']}; features: "
    f"{facts['features']}; 95% intervals"
  )
  table = Table("", *found.rows)
  for measure, name in comparison.columns(facts["frechet"]).items():
    cells = [comparison.cell(row, measure) for row in found.rows.values()]
    if any(cells):
      table.add_row(name, *cells)
  Console().print(table)
  if found.agreement:
    table = Table("condition", "real images", "samples", "by chance")
    for name, x in found.agreement.items():
      table.add_row(name, *(f"{v:.1%}" for v in (x.held_out, x.new, x.chance)))
    Console().print(table)
    print("(shares in which a classifier sees the value that was asked for)")
  copies = int(found.near.copied.sum())
  print(
    f"{copies} of {facts['images']} images are copies of one of "
    f"{len(found.training)} training tiles; the nearest are in nearest.png."
  )
